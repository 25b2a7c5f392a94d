"""The loop: sources, one model, many sinks; counts, timing, stop.

```
 file sources ─► FileFeed (one reader, every frame) ─┐                                   ┌─► Inline  (files)
                                                     ├─► Workers ─► in order ─► transforms ┤               ─► the caller
 cameras ──────► LiveFeed (a reader each, newest)  ──┘                                   └─► Queued  (live)
```

`face.py` is what a program sees; `state.py` holds a run together; each of the others is one box of the picture.
"""

from orilla_runtime.pipeline.face import Pipeline
from orilla_runtime.pipeline.opening import run
from orilla_runtime.pipeline.plan import PictureModel, Transform
from orilla_runtime.pipeline.state import MAX_FAILURES

__all__ = ["MAX_FAILURES", "PictureModel", "Pipeline", "Transform", "run"]
