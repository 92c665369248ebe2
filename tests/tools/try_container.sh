#!/usr/bin/env bash
# Build docs/Containerfile and run the image as docs/ci.md says, without Docker: as root, with Debian's buildah, runc and
# debootstrap. The base is Debian's Python 3.13 instead of the official image, whose registry it does not need.
set -euo pipefail
cd "$(dirname "$0")/../.."
folder="$(mktemp -d)"
trap 'engine umount -a >/dev/null; rm -rf --one-file-system "$folder"' EXIT
engine() { STORAGE_DRIVER=vfs BUILDAH_ISOLATION=chroot buildah --root "$folder/storage" --runroot "$folder/run" "$@"; }

debootstrap --variant=minbase --include=python3,python3-venv,python3-pip,ca-certificates trixie "$folder/base" >/dev/null
ln -s python3 "$folder/base/usr/bin/python"
base="$(engine from scratch)"
engine copy -q "$base" "$folder/base" / >/dev/null
engine commit -q "$base" docker.io/library/python:3.13-slim >/dev/null

# How pip finds packages on this machine holds in the build, too.
flags=()
for name in $(compgen -e | grep '^PIP_'); do flags+=(--env "$name=${!name}"); done
for path in /etc/pip.conf /etc/xdg/pip /etc/ssl/certs ${TRY_CONTAINER_MOUNTS:-}; do
  [ ! -e "$path" ] || flags+=(-v "$path:$path:ro")
done
engine bud --pull-never --network host "${flags[@]}" -t leakscan -f docs/Containerfile . >"$folder/log" 2>&1 || { tail -20 "$folder/log"; exit 1; }
root="$(engine mount "$(engine from --pull-never localhost/leakscan)")"

mkdir -m 700 "$folder/data" "$folder/bundle"
cp fixtures/o2-2012.pcap "$folder/data"
chown -R 1000:1000 "$folder/data"

# user, capability or "", namespaces to leave out, words: the exit code of `leakscan`, in a read-only root
run() {
  (cd "$folder/bundle" && rm -f config.json && runc spec && python3 - "$root" "$folder/data" "$@" >config.new <<'END'
import json, sys
root, data, user, capability, shared, *words = sys.argv[1:]
made = json.load(open("config.json"))
made["root"] = {"path": root, "readonly": True}
made["process"] |= {"terminal": False, "user": {"uid": int(user), "gid": int(user)}, "args": ["leakscan", *words]}
made["process"] |= {"cwd": "/data", "env": ["PATH=/opt/leakscan/bin:/usr/bin:/bin", "container=oci"]}
capabilities = [capability] if capability else []
made["process"]["capabilities"] = {name: capabilities for name in ("bounding", "effective", "permitted")}
made["mounts"].append({"destination": "/data", "type": "bind", "source": data, "options": ["rbind", "rw"]})
made["linux"]["namespaces"] = [space for space in made["linux"]["namespaces"] if space["type"] != shared]
json.dump(made, sys.stdout)
END
  mv config.new config.json
  code=0
  runc run "leakscan-$$" </dev/null >"$folder/out" 2>"$folder/err" || code=$?
  echo "$code")
}
expect() {
  local what="$1" wanted="$2" words="$3" found
  shift 3
  found="$(run "$@")"
  if [ "$found" != "$wanted" ] || ! grep -q -- "$words" "$folder/out" "$folder/err"; then
    echo "not as it should be: $what: exit code $found, not $wanted"
    cat "$folder/out" "$folder/err"
    exit 1
  fi
  echo "as it should be: $what"
}
expect "a capture is scanned without any right" 1 "LEAK: MSISDN" 1000 "" "" analyse -o out.sarif o2-2012.pcap
[ "$(stat -c %u:%a "$folder/data/out.sarif")" = 1000:600 ]
expect "the image's user may not capture" 4 "docker run --user 0" 10001 "" "" live -i lo --duration 1
expect "nor with the capability, which goes to root alone" 4 "--cap-drop=ALL" 10001 CAP_NET_RAW "" live -i lo --duration 1
expect "root with that capability and no other may" 3 "capturing on lo" 0 CAP_NET_RAW network live -i lo --duration 1
expect "all parts are there" 0 "capturing: permitted" 0 CAP_NET_RAW "" doctor
! grep -q "not installed" "$folder/out"
