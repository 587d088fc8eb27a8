#!/usr/bin/env bash
# Takes the pictures of the README anew: assets/screenshots/make.sh
# One session plays all four scripts, so that each picture shows what the ones before it did.
#   LATHE_SHOT_MODEL=tiny LATHE_SHOT_RECIPE=tiny-demo LATHE_SHOT_STEPS=6   a quick try with the small model
#   LATHE_PROGRAM=<built program>   instead of ./lathe
#   LATHE_SHOT_OUT=<folder>         instead of this one
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
model=${LATHE_SHOT_MODEL:-default}
recipe=${LATHE_SHOT_RECIPE:-erax-8b}
steps=${LATHE_SHOT_STEPS:-60}
program=${LATHE_PROGRAM:-$here/../../lathe}
out=${LATHE_SHOT_OUT:-$here}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
{
  echo "open $model"
  echo wait
  cat "$here"/{design,train,generate,inspect}.script
} | sed -e "s|RECIPE|$recipe|; s|STEPS|$steps|; s|PART|$((steps * 2 / 3))|; s|^screenshot |&$work/|" > "$work/all.script"

# Settings of their own: the pictures show the defaults, dark at scale 1.
play=(env XDG_CONFIG_HOME="$work/config" "$program" open --script "$work/all.script" --width 1280 --height 800)
if [[ -z ${DISPLAY:-}${WAYLAND_DISPLAY:-} ]]; then
  # The pointer rests in the middle of this display, outside the window, so that it opens no tooltip.
  play=(xvfb-run -a -s "-screen 0 2800x1800x24" "${play[@]}")
fi
"${play[@]}"
mkdir -p "$out"
mv "$work"/*.png "$out"/
