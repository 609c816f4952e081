from datetime import UTC, datetime

from cirrus_ext import CirrusClient
from mycirrus_client.api.system_health_data import get_calibrations_log

with CirrusClient() as client:
    response = get_calibrations_log.sync_detailed(
        client=client.raw,
        instruments=["QT123456"],
        start=datetime(2023, 1, 1, tzinfo=UTC),
        end=datetime(2023, 1, 31, tzinfo=UTC),
    )
    print(response.status_code, response.headers["content-type"])
