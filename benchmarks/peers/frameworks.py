"""The job in an evaluation framework, called by its own documented entry point: python frameworks.py HOW URL CASES."""

import asyncio
import os
import sys

sys.path.insert(0, os.environ["BENCH_ROOT"])
from benchmarks.job import MAX_TOKENS, PROMPTS, cases

HOW, URL, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])


def asker():
    from openai import AsyncOpenAI

    client = AsyncOpenAI(api_key="k", base_url=f"{URL}/v1", max_retries=0)

    async def ask(system, text):
        messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
        answer = await client.chat.completions.create(
            model="fake-1", messages=messages, temperature=0, max_tokens=MAX_TOKENS
        )
        return answer.choices[0].message.content

    return ask


def pydantic_evals():
    from pydantic_evals import Case, Dataset
    from pydantic_evals.evaluators import EqualsExpected

    async def main():
        ask = asker()
        rows = [
            Case(name=f"t{at}", inputs=text, expected_output=label) for at, (text, label) in enumerate(cases(COUNT))
        ]
        dataset = Dataset(name="triage", cases=rows, evaluators=[EqualsExpected()])
        for system in PROMPTS.values():
            report = await dataset.evaluate(lambda text, s=system: ask(s, text), max_concurrency=64, progress=False)
            assert report.averages().assertions == 1.0

    asyncio.run(main())


def deepeval():
    from deepeval import evaluate
    from deepeval.evaluate.configs import AsyncConfig, CacheConfig, DisplayConfig
    from deepeval.metrics import ExactMatchMetric
    from deepeval.test_case import LLMTestCase

    async def answers():
        ask = asker()
        slots = asyncio.Semaphore(64)

        async def one(system, text, label):
            async with slots:
                return LLMTestCase(input=text, actual_output=await ask(system, text), expected_output=label)

        jobs = [one(system, text, label) for text, label in cases(COUNT) for system in PROMPTS.values()]
        return await asyncio.gather(*jobs)

    result = evaluate(
        test_cases=asyncio.run(answers()),
        metrics=[ExactMatchMetric()],
        async_config=AsyncConfig(max_concurrent=64),
        display_config=DisplayConfig(show_indicator=False, print_results=False, inspect_after_run=False),
        cache_config=CacheConfig(write_cache=False),
    )
    assert all(one.success for one in result.test_results)


def braintrust():
    import braintrust as bt

    def exact(input, output, expected):  # noqa: A002, ARG001 - the framework passes them by name
        return 1.0 if output == expected else 0.0

    async def main():
        ask = asker()
        data = [{"input": text, "expected": label} for text, label in cases(COUNT)]

        def task_of(system):
            async def task(text):
                return await ask(system, text)

            return task

        for arm, system in PROMPTS.items():
            result = await bt.EvalAsync(
                "triage",
                data=data,
                task=task_of(system),
                scores=[exact],
                experiment_name=arm,
                max_concurrency=64,
                no_send_logs=True,
            )
            assert all(one.scores["exact"] == 1.0 for one in result.results)

    asyncio.run(main())


def inspect_ai():
    from inspect_ai import Task, eval  # noqa: A004
    from inspect_ai.dataset import MemoryDataset, Sample
    from inspect_ai.scorer import exact
    from inspect_ai.solver import generate, system_message

    rows = [Sample(input=text, target=label) for text, label in cases(COUNT)]
    tasks = [
        Task(name=arm, dataset=MemoryDataset(rows), solver=[system_message(system), generate()], scorer=exact())
        for arm, system in PROMPTS.items()
    ]
    logs = eval(
        tasks, model="openai/fake-1", model_base_url=f"{URL}/v1", model_args={"api_key": "k", "responses_api": False},
        display="none", log_samples=False, log_realtime=False, max_connections=64, max_samples=64, max_tasks=1,
        temperature=0, max_tokens=MAX_TOKENS,
    )  # fmt: skip
    assert all(log.status == "success" for log in logs), logs
    assert all(log.results.scores[0].metrics["mean"].value == 1 for log in logs)


globals()[HOW.replace("-", "_")]()
