"""Arguments that several tools share, each with its documented limits and what a model needs to know of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from quantinal_mcp.models.common import Object, Timestamp
from quantinal_mcp.settings import LONGEST_WAIT

PageNumber = Annotated[int, Field(ge=1)]
PageSize = Annotated[int, Field(ge=1, le=100)]
Detail = Annotated[Literal["summary", "full"], Field(description="full: nothing left out")]
Wait = Annotated[float, Field(ge=0, le=LONGEST_WAIT, description="longest wait in seconds")]
MaxQuants = Annotated[float, Field(ge=0, description="cost the user agreed to; a ceiling")]
From = Annotated[Timestamp, Field(description="from")]
Until = Annotated[Timestamp, Field(description="until")]
Score = Annotated[float, Field(ge=0, le=100)]
JsonObject = Annotated[Object, Field()]
