"""Watch a camera, or a video, and say when the class changes.

python samples/02_camera.py parts.orilla                     # the first camera, until Ctrl-C
python samples/02_camera.py parts.orilla --source clip.mp4
"""

import argparse

import orilla

parser = argparse.ArgumentParser()
parser.add_argument("bundle")
parser.add_argument("--source", default=0, help="camera index, or a video file")
parser.add_argument("--threshold", type=float, default=0.6, help="below it the answer is 'unsure'")
arguments = parser.parse_args()

shown = None
for frame, result in orilla.run(arguments.bundle, source=arguments.source):
    best = result.top
    verdict = best.label if best.score >= arguments.threshold else "unsure"
    if verdict != shown:
        at = f"{frame.pts_seconds:.2f} s" if frame.pts_seconds is not None else f"{frame.captured_at:%H:%M:%S}"
        print(f"{at}: {verdict} ({best.score:.1%})")
        shown = verdict
