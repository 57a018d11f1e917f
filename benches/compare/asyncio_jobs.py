"""What a careful programmer would write today to fetch many archives at once.

asyncio_jobs.py [--fsync] BASE_URL OUT CONCURRENCY JOB…
"""

import asyncio
import os
import sys
from pathlib import Path

import aiohttp
from yarl import URL

CHUNK = 256 * 1024
FIRST_PAUSE, LONGEST_PAUSE = 1, 30  # seconds between two questions for a job's status


async def status_when_complete(session, base, job, auth):
    pause = FIRST_PAUSE
    while True:
        async with session.get(f"{base}/api/v3/machines/archive/csv/{job}", auth=auth) as reply:
            reply.raise_for_status()
            status = await reply.json()
        if status["status"] == "complete":
            return status
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)


async def export(session, base, job, auth, out, fsync):
    status = await status_when_complete(session, base, job, auth)
    staged = out / f".{job}.partial"
    # Encoded already, and signed as it is.
    async with session.get(URL(status["resource"], encoded=True)) as reply:
        reply.raise_for_status()
        with open(staged, "wb") as file:
            async for chunk in reply.content.iter_chunked(CHUNK):
                await asyncio.to_thread(file.write, chunk)
            if fsync:
                await asyncio.to_thread(file.flush)
                await asyncio.to_thread(os.fsync, file.fileno())
    os.replace(staged, out / f"{job}.csv")


async def main(arguments):
    fsync = arguments[0] == "--fsync"
    base, out, concurrency, *jobs = arguments[fsync:]
    auth = aiohttp.BasicAuth(os.environ["TULIP_API_KEY"], os.environ["TULIP_API_SECRET"])
    gate = asyncio.Semaphore(int(concurrency))
    async with aiohttp.ClientSession() as session:

        async def one(job):
            async with gate:
                await export(session, base, job, auth, Path(out), fsync)

        await asyncio.gather(*map(one, jobs))


asyncio.run(main(sys.argv[1:]))
