from cirrus_ext import CirrusClient, CirrusError, RateLimitError

with CirrusClient() as client:
    try:
        client.calibration_log(
            ["QT123456"], start="2020-01-01T00:00:00Z", end="2023-01-01T00:00:00Z"
        )
    except RateLimitError as error:
        print("ask again in", error.retry_after, "seconds")
    except CirrusError as error:
        print(error)
