"""A model behind HTTP, and what the page of a run shares with it; extra `serve`.

```
 socket ─► connections.py ─► access.py ─► app.py ─► body.py ─► pool.py ─► one object of `run --jsonl`
           slow or too many  host, token            size, time  threads with a replica each
```

Nothing here is imported unless a page or a service is asked for.
"""
