"""The HTTP library below the client: httpx2 since version 3, httpx before."""

try:
    import httpx2 as http
except ImportError:
    import httpx as http

__all__ = ["http"]
