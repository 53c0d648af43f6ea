"""A simulation of the Quantinal REST API, for tests, demos and offline use.

It shares no code with the client: it speaks plain JSON, so that a wrong model
fails the tests instead of agreeing with itself.
"""

from quantinal_mcp.sandbox.sandbox import Sandbox
from quantinal_mcp.sandbox.wire.faults import Fault

__all__ = ["Fault", "Sandbox"]
