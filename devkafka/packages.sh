#!/bin/sh
# Check that this machine has the programs that `make COMMAND ...` needs. make runs this first.
#
# On Debian and Ubuntu it installs missing programs, if we are root or sudo asks for no password. Otherwise it lists all
# missing programs with the one command that installs them, and ends with exit code 2.
# Usage: packages.sh COMMAND ...; the variable PYTHON names the Python that creates the virtual environment VENV.
set -eu

# If a test starts a new program, add a line: the program, its Debian packages, the commands of make, its purpose.
needs() {
  cat <<'END'
java          openjdk-17-jre-headless    kafka,failover,test,soak,bench  Java 17 or later, which runs Kafka
mvn           maven                      kafka,failover,test,soak,bench  fetches Kafka's jars
chromium      chromium,chromium-sandbox  test,bench,pictures             opens the pages that kshark writes
chromedriver  chromium-driver            test,bench,pictures             drives Chromium, and has its version
promtool      prometheus                 test                            tries the alert rules
less          less                       test                            the pager
redis-server  redis-server               test                            the queue of Celery and RQ
ps            procps                     test                            tells when a process sleeps
openssl       openssl                    test                            makes certificates that are wrong
kcat          kcat                       bench                           a peer to measure against
jq            jq                         bench                           a peer to measure against, with kcat
END
}

python=${PYTHON:-python3}
environment=${VENV:-.venv}
commands=$*
as_root=

main() {
  check_version
  lacking=$(missing)
  [ -n "$lacking" ] || return 0
  may_install || explain
  all_are_offered || run_apt update || true
  lacking=$(missing)
  case $lacking in *"|-|"*) explain ;; esac
  echo "make $commands: installing what is missing: $(packages)"
  # shellcheck disable=SC2046 # each package is a word
  run_apt install $(packages) || { run_apt update && run_apt install $(packages); } || explain
  check_version
  lacking=$(missing)
  [ -z "$lacking" ] || explain
}

# Print a line for each missing program: where we look for it, its packages or -, its purpose.
missing() {
  has_venv || echo "$python|$(python_package)|Python 3.11 or later, with its venv"
  needs | while read -r program package users purpose; do
    place=$(place_of "$program")
    if is_for "$users" && ! has "$program" "$place"; then
      [ "$place" = "$program" ] || package=-
      echo "$place|$(package_here "$package")|$purpose"
    fi
  done
}

is_for() {
  for command in $commands; do
    case ",$1," in *",$command,"*) return 0 ;; esac
  done
  return 1
}

# A variable may name the program.
place_of() {
  case $1 in
    java) echo "${JAVA_HOME:+$JAVA_HOME/bin/}java" ;;
    chromium) echo "${CHROME:-chromium}" ;;
    chromedriver) echo "${CHROMEDRIVER:-chromedriver}" ;;
    *) echo "$1" ;;
  esac
}

has() {
  case $2 in
    java | */java) is_java_17 "$2" ;;
    chromium) is_here chromium || is_here chromium-browser || is_here google-chrome ;;
    *) is_here "$2" ;;
  esac
}

is_here() {
  command -v "$1" >/dev/null
}

# macOS has a `java` that only says where to get one.
is_java_17() {
  version=$("$1" -version 2>&1 | sed -n 's/.*version "\(1\.\)\{0,1\}\([0-9]*\).*/\2/p')
  [ "${version:-0}" -ge 17 ]
}

# pip is installed last, so an environment with pip is complete and needs no other Python.
has_venv() {
  [ -e "$environment/bin/pip" ] || "$python" -c 'import ensurepip' 2>/dev/null
}

# No package helps if Python is too old.
check_version() {
  [ ! -e "$environment/bin/pip" ] && is_here "$python" || return 0
  if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "agentlog needs Python 3.11 or later, and $python is $("$python" --version 2>&1)." >&2
    echo "Name another one: make $commands PYTHON=python3.12" >&2
    exit 2
  fi
}

# Debian's python3.12-venv also installs python3.12.
python_package() {
  case $python in
    python3* | /usr/bin/python3*) echo "${python##*/}-venv" ;;
    *) echo - ;;
  esac
}

# A Debian without Java 17 has a later one. Ubuntu's Chromium doesn't serve, see `no_snap`.
package_here() {
  case $1 in
    openjdk-*) if ! is_offered "$1" && is_offered default-jre-headless; then set -- default-jre-headless; fi ;;
    chromium*) if has_snap_only; then set -- -; fi ;;
  esac
  echo "$1"
}

has_snap_only() {
  ! is_offered chromium && is_offered chromium-browser
}

is_offered() {
  LC_ALL=C apt-cache policy "$1" 2>/dev/null | grep -q 'Candidate: [^(]'
}

all_are_offered() {
  for package in $(packages); do is_offered "$package" || return 1; done
}

# Print the packages of all missing programs on one line.
packages() {
  echo "$lacking" | cut -d '|' -f 2 | tr , '\n' | grep -vx -e - | sort -u | paste -s -d ' ' -
}

may_install() {
  is_here apt-get || return 1
  [ "$(id -u)" != 0 ] || return 0
  as_root="sudo -n"
  sudo -n true 2>/dev/null
}

# A package may start a server. Without our TMPDIR, CI doesn't take it for one of our processes.
run_apt() {
  $as_root env -u TMPDIR DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends \
    -o DPkg::Lock::Timeout=300 "$@" </dev/null >/dev/null
}

# Print what is missing and how to install it, and end.
explain() {
  exec >&2
  echo "make $commands: what is missing on this machine:"
  echo "$lacking" | while IFS='|' read -r place _ purpose; do printf '  %-12s  %s\n' "$place" "$purpose"; done
  case $lacking in *chromium\|-* | *chromedriver\|-*) if has_snap_only; then no_snap; fi ;; esac
  if is_here apt-get && [ -n "$(packages)" ]; then
    echo "Run this as root, and then make again:"
    echo "  apt-get update && apt-get install -y --no-install-recommends $(packages)"
  fi
  exit 2
}

no_snap() {
  echo "Ubuntu has Chromium only as a snap, and a snap can't open the pages that tests write into /tmp. Install Google"
  echo "Chrome and the chromedriver of its version. Where they aren't on PATH, CHROME and CHROMEDRIVER name them."
}

main
