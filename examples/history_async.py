import asyncio

from cirrus_ext import AsyncCirrusClient


async def main() -> None:
    async with AsyncCirrusClient() as client:
        history = client.calibration_history(
            ["QT123456"], start="2021-01-01T00:00:00Z", end="2024-01-01T00:00:00Z"
        )
        print(len([record async for record in history]), "records")


asyncio.run(main())
