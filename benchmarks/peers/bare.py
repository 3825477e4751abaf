"""The job as a loop of 64 workers and nothing else: python bare.py HOW URL CASES."""

import asyncio
import os
import sys

sys.path.insert(0, os.environ["BENCH_ROOT"])
from benchmarks.job import MAX_TOKENS, PROMPTS, cases

HOW, URL, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])


def body(system, text):
    messages = [{"role": "system", "content": system}, {"role": "user", "content": text}]
    return {"model": "fake-1", "messages": messages, "temperature": 0, "max_tokens": MAX_TOKENS}


async def open_asker():
    """Returns a function that asks, and one that closes the client."""
    if HOW == "aiohttp":
        import aiohttp

        session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64))

        async def ask(system, text):
            async with session.post(f"{URL}/v1/chat/completions", json=body(system, text)) as answer:
                return (await answer.json())["choices"][0]["message"]["content"]

        return ask, session.close
    if HOW == "httpx2":
        import httpx2

        client = httpx2.AsyncClient(limits=httpx2.Limits(max_connections=64, max_keepalive_connections=64))

        async def ask(system, text):
            answer = await client.post(f"{URL}/v1/chat/completions", json=body(system, text))
            return answer.json()["choices"][0]["message"]["content"]

        return ask, client.aclose
    if HOW == "anthropic":
        import anthropic

        client = anthropic.AsyncAnthropic(api_key="k", base_url=URL, max_retries=0)

        async def ask(system, text):
            messages = [{"role": "user", "content": text}]
            answer = await client.messages.create(
                model="fake-1", system=system, messages=messages, max_tokens=MAX_TOKENS
            )
            return answer.content[0].text

        return ask, client.close
    import openai

    http = openai.DefaultAioHttpClient() if HOW == "openai-aiohttp" else None
    client = openai.AsyncOpenAI(api_key="k", base_url=f"{URL}/v1", max_retries=0, http_client=http)

    async def ask(system, text):
        answer = await client.chat.completions.create(**body(system, text))
        return answer.choices[0].message.content

    return ask, client.close


async def main():
    ask, close = await open_asker()
    jobs = ((system, text, label) for text, label in cases(COUNT) for system in PROMPTS.values())
    right = 0

    async def work():
        nonlocal right
        for system, text, label in jobs:
            answer = await ask(system, text)
            right += answer == label

    async with asyncio.TaskGroup() as group:
        for _ in range(64):
            group.create_task(work())
    await close()
    assert right == 2 * COUNT


asyncio.run(main())
