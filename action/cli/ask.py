"""``promptverdict suggest --ask``: one round of a conversation about a prompt, measured by the gate."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from action.cli.conversation_file import ConversationFile
from action.cli.improving import opened
from action.cli.streams import put
from action.exits import Exit
from schemas.values import digest_of

if TYPE_CHECKING:
    from action.cli.improving import SuggestOptions
    from adapters.call_process.process import CallingProcess
    from engine.improve.conversation import AskReport


def ask(options: SuggestOptions, sentence: str, calling: CallingProcess | None = None) -> Exit:
    """Edits the prompt as the sentence says, measures the edit, and prints diff, scorecard and cost.

    Only the conversation is kept, beside the repository's own data. Exits with 3 if no edit could be measured. Raises
    PromptVerdictError, and UsageError if the user declines to spend money.
    """
    with opened(options, calling) as here:
        from adapters.loop import run_async
        from engine.commands.ask import cost_line
        from engine.improve.ask import ask as one_round
        from engine.improve.ask import prepare_ask
        from engine.improve.target import target_of

        target = target_of(here.today, here.alone, options.lineage, here.world, reflector=options.reflector)
        name = f"promptverdict/conversation-{digest_of(target.change.name)[:16]}.json"
        file = ConversationFile(here.repository.private_file(name))
        task = prepare_ask(target, here.world, None if options.restart else file.read(), sentence)
        budget = here.budget(target.change)
        models = (target.reflector.model, *(pair.candidate for pair in target.change.models), *target.change.judges)
        if not here.agreed(cost_line(task, budget), models):
            return Exit.PASS
        found = run_async(here.run(lambda ports, cap: one_round(task, here.world, ports, cap), budget))
        file.write(found.conversation)
        if found.last.texts:
            patch = here.patch({**target.texts, **found.last.texts}, target.change)
            found = found.model_copy(update={"patch": patch})
    _print(found, options.format)
    return Exit.PASS if found.last.card is not None and found.last.unfinished is None else Exit.ERROR


def _print(found: AskReport, output_format: str) -> None:
    from engine.commands.ask import round_lines
    from engine.commands.suggest import diff_lines
    from engine.render.encode import log_line
    from engine.render.terminal import terminal

    if output_format == "json":
        put(found.model_dump_json(indent=2) + "\n")
        return
    put("".join(log_line(line) + "\n" for line in round_lines(found)))
    if found.last.card is not None:
        put(terminal(found.last.card))
        put("".join(line + "\n" for line in diff_lines(found.patch, found.prompt, found.last.texts)))
    sys.stdout.flush()
