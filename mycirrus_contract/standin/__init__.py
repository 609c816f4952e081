"""A stand-in for the MyCirrus API: the calibration log of a small fleet, made up.

`rules` is a pure function from a request to a reply. It does what the vendor's page documents;
what the page leaves open is a field of `switches`. `faults` has wrong replies, and `adapters`
connects all this to httpx, to ASGI and to a socket.
"""
