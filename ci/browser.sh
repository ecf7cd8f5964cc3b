#!/usr/bin/env bash
# Chromium and its driver, for the tests that open reports in a browser. Does nothing where both are there; else installs
# them by apt, as root or through sudo. Exit code 1, with what to do, where that is no way.
set -euo pipefail

browser() { command -v chromium || command -v chromium-browser || command -v google-chrome || command -v google-chrome-stable; }

if browser > /dev/null && command -v chromedriver > /dev/null; then exit 0; fi

by_hand="install Chromium or Chrome, and chromedriver of the same version, so that both are on the PATH"
if ! command -v apt-get > /dev/null; then
    echo "no browser for the tests of reports, and no apt-get: $by_hand" >&2
    exit 1
fi
as_root=()
if [[ $EUID -ne 0 ]]; then
    if ! sudo -n true 2> /dev/null; then
        echo "no browser for the tests of reports, and apt-get wants root: $by_hand" >&2
        exit 1
    fi
    as_root=(sudo -n)
fi
"${as_root[@]}" apt-get update -qq
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
    chromium chromium-driver fonts-dejavu-core > /dev/null
browser > /dev/null && command -v chromedriver > /dev/null || { echo "apt-get installed no browser: $by_hand" >&2; exit 1; }
