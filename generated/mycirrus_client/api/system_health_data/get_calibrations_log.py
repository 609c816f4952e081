import datetime
from http import HTTPStatus
from typing import Any

import httpx

from ... import errors
from ...client import AuthenticatedClient, Client
from ...models.calibration_log_item import CalibrationLogItem
from ...models.error_body import ErrorBody
from ...types import UNSET, Response


def _get_kwargs(
    *,
    instruments: list[str],
    start: datetime.datetime,
    end: datetime.datetime,
) -> dict[str, Any]:

    params: dict[str, Any] = {}

    json_instruments = instruments

    params["instruments"] = json_instruments

    json_start = start.isoformat()
    params["start"] = json_start

    json_end = end.isoformat()
    params["end"] = json_end

    params = {k: v for k, v in params.items() if v is not UNSET and v is not None}

    _kwargs: dict[str, Any] = {
        "method": "get",
        "url": "/data/calibrations/log",
        "params": params,
    }

    return _kwargs


def _parse_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> ErrorBody | list[CalibrationLogItem] | None:
    if response.status_code == 200:
        response_200 = []
        _response_200 = response.json()
        for response_200_item_data in _response_200:
            response_200_item = CalibrationLogItem.from_dict(response_200_item_data)

            response_200.append(response_200_item)

        return response_200

    if response.status_code == 400:
        response_400 = ErrorBody.from_dict(response.json())

        return response_400

    if response.status_code == 401:
        response_401 = ErrorBody.from_dict(response.json())

        return response_401

    if response.status_code == 403:
        response_403 = ErrorBody.from_dict(response.json())

        return response_403

    if response.status_code == 429:
        response_429 = ErrorBody.from_dict(response.json())

        return response_429

    if client.raise_on_unexpected_status:
        raise errors.UnexpectedStatus(response.status_code, response.content)
    else:
        return None


def _build_response(
    *, client: AuthenticatedClient | Client, response: httpx.Response
) -> Response[ErrorBody | list[CalibrationLogItem]]:
    return Response(
        status_code=HTTPStatus(response.status_code),
        content=response.content,
        headers=response.headers,
        parsed=_parse_response(client=client, response=response),
    )


def sync_detailed(
    *,
    client: AuthenticatedClient,
    instruments: list[str],
    start: datetime.datetime,
    end: datetime.datetime,
) -> Response[ErrorBody | list[CalibrationLogItem]]:
    """Fetch calibration log items

     Get calibration log records for the selected instruments and time range.
    The maximum date range per request is 1 year. If you request a longer range, the server will respond
    with an error.
    Requires an API key with the data.system:read scope.

    Args:
        instruments (list[str]): Serial numbers of selected instruments
        start (datetime.datetime): Start date and time for loading a range of data. Must be in
            UTC.
            This uses the ISO8601 format. For example, 2023-01-01T00:00:00Z is 1st January 2023 at
            midnight UTC.
        end (datetime.datetime): End date and time for loading a range of data. Must be in UTC.
            This uses the ISO8601 format. For example, 2023-01-01T00:00:00Z is 1st January 2023 at
            midnight UTC.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | list[CalibrationLogItem]]
    """

    kwargs = _get_kwargs(
        instruments=instruments,
        start=start,
        end=end,
    )

    response = client.get_httpx_client().request(
        **kwargs,
    )

    return _build_response(client=client, response=response)


def sync(
    *,
    client: AuthenticatedClient,
    instruments: list[str],
    start: datetime.datetime,
    end: datetime.datetime,
) -> ErrorBody | list[CalibrationLogItem] | None:
    """Fetch calibration log items

     Get calibration log records for the selected instruments and time range.
    The maximum date range per request is 1 year. If you request a longer range, the server will respond
    with an error.
    Requires an API key with the data.system:read scope.

    Args:
        instruments (list[str]): Serial numbers of selected instruments
        start (datetime.datetime): Start date and time for loading a range of data. Must be in
            UTC.
            This uses the ISO8601 format. For example, 2023-01-01T00:00:00Z is 1st January 2023 at
            midnight UTC.
        end (datetime.datetime): End date and time for loading a range of data. Must be in UTC.
            This uses the ISO8601 format. For example, 2023-01-01T00:00:00Z is 1st January 2023 at
            midnight UTC.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | list[CalibrationLogItem]
    """

    return sync_detailed(
        client=client,
        instruments=instruments,
        start=start,
        end=end,
    ).parsed


async def asyncio_detailed(
    *,
    client: AuthenticatedClient,
    instruments: list[str],
    start: datetime.datetime,
    end: datetime.datetime,
) -> Response[ErrorBody | list[CalibrationLogItem]]:
    """Fetch calibration log items

     Get calibration log records for the selected instruments and time range.
    The maximum date range per request is 1 year. If you request a longer range, the server will respond
    with an error.
    Requires an API key with the data.system:read scope.

    Args:
        instruments (list[str]): Serial numbers of selected instruments
        start (datetime.datetime): Start date and time for loading a range of data. Must be in
            UTC.
            This uses the ISO8601 format. For example, 2023-01-01T00:00:00Z is 1st January 2023 at
            midnight UTC.
        end (datetime.datetime): End date and time for loading a range of data. Must be in UTC.
            This uses the ISO8601 format. For example, 2023-01-01T00:00:00Z is 1st January 2023 at
            midnight UTC.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        Response[ErrorBody | list[CalibrationLogItem]]
    """

    kwargs = _get_kwargs(
        instruments=instruments,
        start=start,
        end=end,
    )

    response = await client.get_async_httpx_client().request(**kwargs)

    return _build_response(client=client, response=response)


async def asyncio(
    *,
    client: AuthenticatedClient,
    instruments: list[str],
    start: datetime.datetime,
    end: datetime.datetime,
) -> ErrorBody | list[CalibrationLogItem] | None:
    """Fetch calibration log items

     Get calibration log records for the selected instruments and time range.
    The maximum date range per request is 1 year. If you request a longer range, the server will respond
    with an error.
    Requires an API key with the data.system:read scope.

    Args:
        instruments (list[str]): Serial numbers of selected instruments
        start (datetime.datetime): Start date and time for loading a range of data. Must be in
            UTC.
            This uses the ISO8601 format. For example, 2023-01-01T00:00:00Z is 1st January 2023 at
            midnight UTC.
        end (datetime.datetime): End date and time for loading a range of data. Must be in UTC.
            This uses the ISO8601 format. For example, 2023-01-01T00:00:00Z is 1st January 2023 at
            midnight UTC.

    Raises:
        errors.UnexpectedStatus: If the server returns an undocumented status code and Client.raise_on_unexpected_status is True.
        httpx.TimeoutException: If the request takes longer than Client.timeout.

    Returns:
        ErrorBody | list[CalibrationLogItem]
    """

    return (
        await asyncio_detailed(
            client=client,
            instruments=instruments,
            start=start,
            end=end,
        )
    ).parsed
