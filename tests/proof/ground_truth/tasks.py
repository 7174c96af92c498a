"""Two tasks of asyncio whose scopes are open at the same time, while one of them runs."""

import asyncio

from work import SECONDS, about, busy, turns

from workbench import scope


def in_fetch():
    busy(about(0.040))


def in_store():
    busy(about(0.060))


async def fetch():
    with scope("fetching"):
        for _ in turns(SECONDS):
            with scope("fetch"):
                in_fetch()
            await asyncio.sleep(about(0.005))


async def store():
    with scope("storing"):
        for _ in turns(SECONDS):
            with scope("store"):
                in_store()
            await asyncio.sleep(about(0.005))


async def main():
    await asyncio.gather(fetch(), store())


asyncio.run(main())
