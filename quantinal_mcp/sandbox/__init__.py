"""A simulation of the Quantinal REST API, for tests, demos and offline use.

It shares no code with the client: it speaks plain JSON, so that a wrong model
fails the tests instead of agreeing with itself.
"""

from quantinal_mcp.sandbox.faults import Fault
from quantinal_mcp.sandbox.sandbox import Sandbox

__all__ = ["Fault", "Sandbox"]
