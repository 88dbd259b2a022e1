"""Noise in answers: each rule makes two spellings of one answer equal, and a near miss beside it stays another."""

import copy
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdiff.judge.verdict import VerdictKind
from kdiff.reading.noise import CONTROL_RULES, SPACE_RULES, TEXT_RULES, WORD_RULES
from kdiff.reading.normalize import IgnoreRules, normalize_text

RULES = [*(rule.name for rule in (*CONTROL_RULES, *SPACE_RULES, *TEXT_RULES)), *(name for name, _, _ in WORD_RULES)]


class Row(NamedTuple):
    """Two answers that say the same, and one that doesn't."""

    a: str
    b: str
    other: str


ROWS = {
    "colours and cursor moves": [
        Row("\x1b[32m3 passed\x1b[0m", "3 passed", "\x1b[31m2 passed\x1b[0m"),
        Row("\x1b[2K\x1b[1A\x1b]0;title\x07done", "done", "\x1b[2Kgone"),
        Row("\x1b[38;5;196mE\x1b[39m", "E", "\x1b[38;5;196mF\x1b[39m"),
        Row("^[[32mok^[[0m", "ok", "^[[32mko^[[0m"),
    ],
    "backspaces": [Row("working |\b/\b-\b done", "working |\b/\b done", "working |\b/\b failed")],
    "overwritten progress": [
        Row(" 10% of 4\r 55% of 4\r100% of 4", " 20% of 4\r100% of 4", " 20% of 4\r100% of 5"),
        Row("Counting: 1/7\rCounting: 7/7, done.\r\nok", "Counting: 7/7, done.\nok", "Counting: 7/7, done.\nbad"),
        Row("id,n\rA,7\rB,8", "id,n\rA,7\rB,8", "id,n\rA,9\rB,8"),
    ],
    "line ends of Windows": [Row("a\r\nb", "a\nb", "ab")],
    "space at the end": [Row("a \nb\t\n\n", "a\nb", "a\n b")],
    "dates of HTTP and mail": [
        Row(
            "Sent Tue, 03 Feb 2026 10:00:07 GMT ok",
            "Sent Wed, 04 Feb 2026 11:20:31 GMT ok",
            "Sent Tue, 03 Feb 2026 GMT ok",
        ),
    ],
    "dates of access logs": [
        Row(
            '10.0.0.1 - - [03/Feb/2026:10:00:01 +0000] "GET / HTTP/1.1" 200 5',
            '10.0.0.1 - - [04/Feb/2026:11:00:00 +0100] "GET / HTTP/1.1" 200 5',
            '10.0.0.1 - - [04/Feb/2026:11:00:00 +0100] "GET / HTTP/1.1" 500 5',
        )
    ],
    "dates of `date` and of logs": [
        Row("Date:   Tue Feb 3 10:00:01 2026 +0000", "Date:   Wed Feb 4 11:00:09 2026 +0100", "Date:   none"),
        Row("started: 10 Jul 2022 2:54:09pm", "started: 10 Jul 2022 11:55:25am", "started: 10 Jul 2022"),
        Row("Tue Feb  3 10:00:01 UTC 2026", "Wed Feb 14 11:20:31 UTC 2026", "Tue Feb  3 UTC 2026"),
        Row("Feb  3 10:00:01 web app: up", "Feb  4 10:00:09 web app: up", "Feb  4 10:00:09 web app: down"),
    ],
    "date and clock": [
        Row(
            "running since Tue 2026-02-03 10:00:01 UTC",
            "running since Wed 2026-02-04 11:00:09 UTC",
            "failed since Tue 2026-02-03 10:00:01 UTC",
        ),
        Row("2026-02-03 10:00:01,123 INFO up", "2026-02-04 11:30:17,456 INFO up", "2026-02-04 11:30:17,456 INFO down"),
        Row("2026/02/03 10:00:01 up", "2026/02/04 11:30:17 up", "2026/02/04 up"),
        Row("at 2026-02-03 10:00:01.5+00:00", "at 2026-02-03 10:07:31.25+00:00", "at 2026-02-03"),
    ],
    "clock in brackets": [
        Row("[10:00:01 AM] up", "[9:31:02 PM] up", "[10:00:01 AM] down"),
        Row("[10:00:00] Starting", "[11:31:02] Starting", "[11:31] Starting"),
    ],
    "clock with milliseconds": [Row("10:00:00,123 up", "11:31:02,456 up", "11:31:02,456 down")],
    "seconds since start": [
        Row("[    0.123456] usb 1-1: new", "[   12.654321] usb 1-1: new", "[   12.654321] usb 1-2: new")
    ],
    "glog's header": [
        Row(
            "I0203 10:00:01.123456   12345 main.go:12] up",
            "I0204 11:00:01.654321     988 main.go:12] up",
            "E0204 11:00:01.654321     988 main.go:12] up",
        ),
    ],
    "names of log files": [
        Row(
            "npm-logs/2026-02-03T10_00_01_123Z-debug-0.log",
            "npm-logs/2026-02-04T11_10_31_456Z-debug-0.log",
            "npm-logs/2026-02-04T11_10_31_456Z-debug-1.log",
        ),
    ],
    "blocks of `ls`": [
        Row(
            "total 12\n-rw-r--r-- 1 u u 12 Feb  3 09:01 a.txt",
            "total 300K\n-rw-r--r-- 1 u u 12 Feb  3 09:01 a.txt",
            "total 300\nall",
        )
    ],
    "sizes of directories in `ls`": [
        Row(
            "drwxr-xr-x  3 root root 4096 Apr 30 08:32 src",
            "drwxr-xr-x  3 root root   12K May  1 10:02 src",
            "drwxr-xr-x  4 root root 4096 Apr 30 08:32 src",
        ),
    ],
    "dates of `ls` and `tar`": [
        Row(
            "-rw-r--r-- 1 u u 12 Jan 15 14:23 a.txt",
            "-rw-r--r-- 1 u u 12 Feb  3 09:01 a.txt",
            "-rw-r--r-- 1 u u 13 Jan 15 14:23 a.txt",
        ),
        Row(
            "-rw-r--r-- 1 u u 12 Jan 15 14:23 a.txt",
            "-rw-r--r-- 1 u u 12 Jan 15  2024 a.txt",
            "-rw-r--r-- 1 u u 12 Jan 15 14:23 b.txt",
        ),
        Row(
            "-rw-r--r-- u/g 12 2026-01-15 14:23 a.txt",
            "-rw-r--r-- u/g 12 2026-02-03 09:01 a.txt",
            "-rwxr--r-- u/g 12 2026-02-03 09:01 a.txt",
        ),
        Row(
            "-rw-r--r-- 1 u u   12 2026-01-15 14:23:07.123456789 +0000 a",
            "-rw-r--r-- 1 u u 12 2026-02-03 09:01:00.000000000 +0000 a",
            "-rw-r--r-- 1 u u 12 2026-02-03 a",
        ),
    ],
    "inodes and devices": [
        Row("Device: 801h/2049d\tInode: 1234", "Device: fd00h/64768d\tInode: 99887", "Device: 801h/2049d\tNodes: 99887")
    ],
    "process ids": [
        Row("(node:4121) Warning: x", "(node:988) Warning: x", "(node:988) Error: x"),
        Row("listening, pid 4121", "listening, pid 988", "listening, pip 988"),
        Row("(pid=4121) up", "(pid=988) up", "(gid=988) up"),
        Row("Started server process [4121]", "Started server process [988]", "Started server processes [988]"),
        Row("process 4121 exited", "process 988 exited", "process 988 orders"),
        Row('{"pid": 4121, "n": 1}', '{"pid": 988, "n": 1}', '{"pid": 988, "n": 2}'),
    ],
    "process ids of logs": [
        Row(
            "[2026-02-03 10:00:01 +0000] [4121] [INFO] up",
            "[2026-02-04 11:00:09 +0000] [988] [INFO] up",
            "[2026-02-04 11:00:09 +0000] [988] [INFO] down",
        ),
        Row(
            "Feb  3 10:00:01 web sshd[4121]: open",
            "Feb  3 10:00:02 web sshd[988]: open",
            "Feb  3 10:00:02 web sshd[988]: shut",
        ),
    ],
    "threads of logs and stacks": [
        Row(
            "goroutine 1 [running]:\nmain.main()",
            "goroutine 17 [running]:\nmain.main()",
            "goroutine 17 [running]:\nmain.run()",
        ),
        Row(
            "[4121:4121:0203/100001.123456:ERROR:gpu.cc(1)] x",
            "[988:990:0204/110009.654321:ERROR:gpu.cc(1)] x",
            "[988:990:0204/110009.654321:FATAL:gpu.cc(1)] x",
        ),
        Row("at $Proxy12.foo", "at $Proxy15.foo", "at $Proxy15.bar"),
    ],
    "background jobs": [Row("[1] 4121\nup", "[1] 988\nup", "[2] 988\nup"), Row("[1] 45", "[1] 45", "[1] 46")],
    "reports of sanitizers": [
        Row("==4121==ERROR: leak of 8 byte(s)", "==988==ERROR: leak of 8 byte(s)", "==988==ERROR: leak of 9 byte(s)")
    ],
    "rows of `ps`": [
        Row(
            "u   4121  0.0  0.1  1234  567 ?  S 10:00 0:00 init",
            "u  988  1.5  0.2  4321 9999 ?  Rsl 11:31 0:07 init",
            "u  988  1.5  0.2  4321 9999 ?  Z 11:31 0:07 init",
        ),
        Row(
            "u   4121  0.0  0.1  1234  567 ?  Ss 10:00 0:00 init",
            "u  988  1.5  0.2  4321 9999 ?  Ss 11:31 0:07 init",
            "u  988  1.5  0.2  4321 9999 ?  Ss 11:31 0:07 sshd",
        ),
    ],
    "rows of `ps -ef`": [
        Row(
            "u  4121   1  0 10:00 ?    00:00:00 init",
            "u   988   1  2 11:31 ?    00:01:07 init",
            "u   988   1  2 11:31 ?    00:01:07 sshd",
        )
    ],
    "rows of plain `ps`": [
        Row("   4121 pts/0    00:00:00 bash", "    988 pts/0    00:00:07 bash", "    988 pts/0    00:00:07 zsh")
    ],
    "free ports": [
        Row("Serving on port 49152", "Serving on port 51744", "Serving on port 8080"),
        Row("http://localhost:38211/a", "http://localhost:40123/a", "http://localhost:3000/a"),
        Row("http://[::1]:38211", "http://[::1]:40123", "http://[::1]:443"),
        Row("127.0.0.1:49152 up", "127.0.0.1:51744 up", "127.0.0.1:8080 up"),
        Row("tcp6 0 :::49152 :::*", "tcp6 0 :::51744 :::*", "tcp6 0 :::8080 :::*"),
    ],
    "addresses that curl tries": [
        Row("*   Trying 93.184.215.14:443...", "*   Trying 93.184.216.34:443...", "*   Timeout 93.184.216.34:443...")
    ],
    "addresses that wget tries": [
        Row(
            "Connecting to x.com (x.com)|93.184.215.14|:443... connected.",
            "Connecting to x.com (x.com)|93.184.216.34|:443... connected.",
            "Connecting to x.com (x.com)|93.184.215.14|:443... failed.",
        ),
        Row(
            "Resolving x.com (x.com)... 93.184.215.14, 2606::1\nok",
            "Resolving x.com (x.com)... 93.184.216.34\nok",
            "Resolving x.com (x.com)... failed\nok",
        ),
    ],
    "names of cloud hosts": [Row("on ip-10-0-3-17: ok", "on ip-10-0-44-2: ok", "on ip-10-0-44: ok")],
    "bars of pip": [
        Row(
            "a.whl (18.2 MB)\n   ━━━━━━━━━ 18.2/18.2 MB 5.6 MB/s eta 0:00:00\nok",
            "a.whl (18.2 MB)\nok",
            "a.whl (18.3 MB)\nok",
        ),
    ],
    "bars": [
        Row("100%[=====>] a.txt", "100%[==>   ] a.txt", "100%[=====>] b.txt"),
        Row("100%|██████| 10/10", "100%|███▌  | 10/10", "100%|██████| 9/10"),
    ],
    "layers of images": [
        Row(
            "a1b2c3d4e5f6: Downloading [=====>   ]  1.2MB/3.4MB\na1b2c3d4e5f6: Pull complete\nok",
            "a1b2c3d4e5f6: Already exists\nok",
            "a1b2c3d4e5f6: Download failed\nok",
        ),
    ],
    "progress of git": [
        Row(
            "remote: Enumerating objects: 5, done.\nremote: Total 5 (delta 1), reused 4 (delta 0)\ndone",
            "remote: Enumerating objects: 9, done.\nremote: Counting objects: 100% (9/9), done.\ndone",
            "remote: error: 5 objects\ndone",
        ),
        Row(
            "Delta compression using up to 8 threads\nok",
            "Delta compression using up to 16 threads\nok",
            "Delta compression failed\nok",
        ),
    ],
    "waiting lines of Terraform": [
        Row(
            "a.b: Still creating... [10s elapsed]\na.b: Creation complete after 12s",
            "a.b: Still creating... [9m elapsed]\na.b: Creation complete after 9m2s",
            "a.b: Still creating... [10s elapsed]\na.b: Creation failed after 12s",
        ),
    ],
    "progress of tqdm": [
        Row("10/10 [00:03<00:00,  3.20it/s]", "10/10 [00:05<00:00, 1.9it/s]", "9/10 [00:05<00:00, 1.9it/s]")
    ],
    "time left": [Row("1.2/1.2 MB eta 0:00:01", "1.2/1.2 MB eta -:--:--", "1.3/1.3 MB eta 0:00:01")],
    "rows of curl's progress": [
        Row(
            "100  1256  100  1256    0     0   9000      0 --:--:-- --:--:-- --:--:--  9100\nok",
            "  0     0    0     0    0     0      0      0 --:--:--  0:00:01 --:--:--     0\r"
            "100  1256  100  1256    0     0    500      0 --:--:--  0:00:02 --:--:--   502\nok",
            "100  1256  100  1256    0     0   9000      0 --:--:-- --:--:-- --:--:--  9100\nno",
        )
    ],
    "rates": [
        Row("Fetched 11.2 MB (2782 kB/s)", "Fetched 11.2 MB (3.1 MB/s)", "Fetched 11.3 MB (2782 kB/s)"),
        Row("12 files at 40 files/s", "12 files at  7.5 files/s", "13 files at 40 files/s"),
        Row("wind 12 m/s", "wind 12 m/s", "wind 30 m/s"),
    ],
    "microseconds": [Row("took 12.5µs", "took 980 μs", "took 12.5µl")],
    "time behind a test's name": [
        Row("  3 passing (2s)", "  3 passing (1m)", "  2 passing (1m)"),
        Row("✓ works (5.4s)\n1 passed (3.2s)", "✓ works (1.1m)\n1 passed (1.3m)", "✘ works (1.1m)\n1 passed (1.3m)"),
        Row("✓ adds (12 ms)\n✓ subs", "✓ adds\n✓ subs (1.2s)", "✗ adds (12 ms)\n✓ subs"),
    ],
    "time that something took": [
        Row("added 3 packages in 3s", "added 3 packages in 1m", "added 4 packages in 1m"),
        Row(
            "took 0 hours, 0 minutes, 3 seconds",
            "took 0 hours, 1 minutes, 13 seconds",
            "took 0 hours, 0 minutes, 3 tries",
        ),
        Row("Total: 3, Duration: 12 ms - a", "Total: 3, Duration: 1 s - a", "Total: 4, Duration: 1 s - a"),
        Row("ran in 22.50s (1.2s CPU time)", "ran in 1m 22.50s (1m 3.2s CPU time)", "ran in 22.50s (1.2s GPU time)"),
        Row("done in 3 seconds", "done in 1 minute 12 seconds", "done in 3 steps"),
        Row("Time elapsed: 0.012 s", "Time elapsed: 11.2 s", "Tests elapsed: 11"),
        Row("took  about 3s\nelapsed: ~2 s", "took 4s\nelapsed: 2 hours, 3 s", "took  about 3\nelapsed: ~2"),
        Row("1 day, 2 hours and 3s in 5ms", "1 day, 2 hours and 3s in 7s", "1 day, 2 hours and 4s in 5ms"),
    ],
    "time since something happened": [
        Row("built 2 minutes ago", "built About an hour ago", "built 2 years ago"),
        Row("active since boot; 3min 2s ago", "active since boot; 2h 5min ago", "dead since boot; 3min 2s ago"),
        Row("web Up 2 minutes (healthy)", "web Up 3 hours (healthy)", "web Up 3 hours (unhealthy)"),
    ],
    "durations in two words": [
        Row("Passed    0.01 sec", "Passed   12.10 sec", "Failed    0.01 sec"),
        Row("real 1m 3.5s", "real 0.98 s", "real 3"),
    ],
    "results from Go's cache": [
        Row("ok  \tpkg\t0.012s", "ok  \tpkg\t(cached)", "FAIL\tpkg\t0.012s"),
    ],
    "times in hours and minutes of pytest": [
        Row("= 3 passed in 61.22s (0:01:01) =", "= 3 passed in 0.22s =", "= 2 passed in 61.22s (0:01:01) ="),
    ],
    "times of Maven": [
        Row("[INFO] Total time:  3.456 s", "[INFO] Total time:  01:02 min", "[INFO] Total tests: 3"),
        Row("core SUCCESS [  1.234 s]", "core SUCCESS [01:02 min]", "core FAILURE [  1.234 s]"),
    ],
    "time estimated": [
        Row("Time:        5.9 s, estimated 6 s", "Time:        0.4 s", "Time:        5.9 s, 6 tests"),
        Row("Time: 1.2 s, estimated 2 s", "Time: 0.7 s, estimated 1 s", "Time: 0.7 s, estimated 2 m"),
    ],
    "times of `time`": [
        Row("real 0.01\nuser 0.00\nsys 0.00", "real 12.21\nuser 1.00\nsys 0.30", "real 3"),
        Row("0.01s user 0.00s system 98% cpu 0.012 total", "1.20s user 0.30s system 55% cpu 2.7 total", "no user"),
        Row(
            "0.01user 0.00system 0:00.02elapsed 50%CPU (0avgtext+0avgdata 3456maxresident)k\n"
            "0inputs+0outputs (0major+123minor)pagefaults 0swaps",
            "1.01user 0.20system 0:01.92elapsed 63%CPU (0avgtext+0avgdata 9912maxresident)k\n"
            "8inputs+0outputs (0major+456minor)pagefaults 0swaps",
            "Command exited with 1\n0.01user 0.00system 0:00.02elapsed 50%CPU (0avgtext+0avgdata 3456maxresident)k",
        ),
    ],
    "load and uptime": [
        Row(
            "10:00:01 up  3:23,  1 user,  load average: 0.01, 0.02, 0.00",
            "11:31:17 up 12 days,  1:02,  2 users,  load average: 2.50, 1.00, 0.70",
            "load: 3",
        ),
    ],
    "memory in use": [
        Row(
            "Main PID: 4121 (nginx)\n    Tasks: 3\n   Memory: 3.1M\n",
            "Main PID: 988 (nginx)\n    Tasks: 3\n   Memory: 4.0M\n",
            "Main PID: 988 (nginx)\n    Tasks: 3\n   Members: 4.0M\n",
        ),
        Row("Time: 00:01.234, Memory: 24.00 MB", "Time: 00:00.987, Memory: 26.50 MB", "Memory: 32 GB DDR5"),
    ],
    "times of pings": [
        Row(
            "64 bytes: icmp_seq=1 ttl=57 time=12.3 ms",
            "64 bytes: icmp_seq=1 ttl=57 time=9 ms",
            "64 bytes: icmp_seq=2 ttl=57 time=9 ms",
        )
    ],
    "times of Go's benchmarks": [
        Row(
            "BenchmarkX-8  1000000\t 1043 ns/op\t 3 allocs/op",
            "BenchmarkX-8  1200000\t 998 ns/op\t 3 allocs/op",
            "BenchmarkX-8  1000000\t 1043 ns/op\t 4 allocs/op",
        ),
    ],
    "times of a query's plan": [
        Row(
            "Seq Scan (actual time=0.012..0.015 rows=5 loops=1)",
            "Seq Scan (actual time=1.412..2.315 rows=5 loops=1)",
            "Seq Scan (actual time=0.012..0.015 rows=6 loops=1)",
        ),
    ],
    "steps of a build": [Row("#5 0.123 Get:1 a", "#5 12.7 Get:1 a", "#6 0.123 Get:1 a")],
    "steps of a build from its cache": [
        Row("#6 [2/4] RUN x\n#6 DONE 1.2s", "#6 [2/4] RUN x\n#6 CACHED", "#6 [2/4] RUN x\n#6 ERROR"),
        Row(
            "#5 transferring context: 312B done",
            "#5 transferring context: 312B 0.0s done",
            "#5 transferring context: 313B done",
        ),
        Row(
            " ---> Using cache\nok",
            " ---> Running in aabbccddeeff\nRemoving intermediate container aabbccddeeff\nok",
            " ---> Running out\nok",
        ),
    ],
    "tasks from a build's cache": [
        Row(
            "> Task :compileJava UP-TO-DATE\n3 actionable tasks: 1 executed, 2 up-to-date",
            "> Task :compileJava\n3 actionable tasks: 3 executed",
            "> Task :compileJava FAILED\n3 actionable tasks: 3 executed",
        ),
    ],
    "downloads and caches of packages": [
        Row(
            "Downloading a-1.2.whl (18.2 MB)\n   ━━━━━━━━━ 18.2/18.2 MB 5.6 MB/s eta 0:00:00\nok",
            "Using cached a-1.2.whl (18.2 MB)\nok",
            "Using cached a-1.3.whl (18.2 MB)\nok",
        ),
        Row(
            "   Compiling foo v0.1.0\n    Finished `dev` in 0.52s",
            "    Finished `dev` in 1.5s",
            "    Failed `dev` in 0.52s",
        ),
        Row(
            "Progress: resolved 12, reused 10, downloaded 2, added 12, done\nok",
            "Progress: resolved 1, reused 0, downloaded 0\nProgress: resolved 12, reused 12, downloaded 0, done\nok",
            "Progress: none\nok",
        ),
    ],
    "ages of kubectl": [
        Row(
            "NAME   READY   RESTARTS   AGE\nweb-1  1/1   0   5d3h",
            "NAME   READY   RESTARTS   AGE\nweb-1  1/1   0   47s",
            "NAME   READY   RESTARTS   AGE\nweb-1  0/1   0   47s",
        ),
        Row("NAME   AGE\nlimit 5d\n\n5d", "NAME   AGE\nlimit 12d\n\n5d", "NAME   AGE\nlimit 5d\n\n12d"),
    ],
    "workers of pytest": [
        Row(
            "8 workers [3 items]\n[gw0] PASSED a.py::t1\n[gw1] PASSED a.py::t2\nok",
            "2 workers [3 items]\n[gw1] PASSED a.py::t2\n[gw0] PASSED a.py::t1\nok",
            "2 workers [3 items]\n[gw1] FAILED a.py::t2\n[gw0] PASSED a.py::t1\nok",
        ),
        Row(
            "[gw0] [ 50%] PASSED a.py::t1\n[gw1] [100%] PASSED a.py::t2",
            "[gw1] [ 50%] PASSED a.py::t2\n[gw3] [100%] PASSED a.py::t1",
            "[gw1] [ 50%] PASSED a.py::t2\n[gw3] [100%] PASSED a.py::t2",
        ),
    ],
    "rulers": [Row("===== 3 passed in 0.12s =====", "==== 3 passed in 10.12s ====", "==== 4 passed in 10.12s ====")],
    "seeds": [
        Row("Random seed: 0x4e45580", "Random seed: 0x57d0fc6", "Random need: 0x57d0fc6"),
        Row("Using --random-order-seed=12345", "Using --random-order-seed=678", "Using --random-order-need=678"),
        Row("Randomized with seed 1234", "Randomized with seed 98", "Randomized with sand 98"),
        Row("-test.shuffle 1700000000123456", "-test.shuffle 1700000001123456", "shuffle 3"),
    ],
    "hashes of commits": [
        Row("[main 12f4567] Fix it", "[main abcdefa] Fix it", "[dev 12f4567] Fix it"),
        Row("HEAD is now at 5e81c02 Fix", "HEAD is now at 90b1d7f Fix", "HEAD is now at 90b1d7f Break"),
        Row(
            "   77a0c13..76f4321  main -> main", "   c0ffee1..3f2a1bc  main -> main", "   c0ffee1..3f2a1bc  main -> dev"
        ),
    ],
    "hashes of Java's objects": [
        Row("java.lang.Object@1b6d3586", "java.lang.Object@4554617c", "java.lang.String@4554617c")
    ],
    "ids of a service's request": [
        Row(
            "403 (Extended Request ID: aa+b/c=)",
            "403 (Extended Request ID: zz+b/q9=)",
            "404 (Extended Request ID: aa+b/c=)",
        ),
    ],
    "ids of React": [Row('<div id=":r1:">A', '<div id=":r2f:">A', '<div id=":r1:">B')],
    "HTTP headers": [
        Row(
            '< ETag: "a1"\n< cf-ray: 8f2-FRA\nok',
            '< ETag: "zz"\n< cf-ray: 901-MUC\nok',
            '< ETag: "a1"\n< cf-ray: 8f2-FRA\nno',
        )
    ],
    "general headers behind an HTTP status": [
        Row(
            "HTTP/1.1 200 OK\nAge: 12\nDate: now",
            "HTTP/1.1 200 OK\nAge: 97\nDate: later",
            "HTTP/1.1 404 Not Found\nAge: 12\nDate: now",
        ),
        Row("Name: Ann\nAge: 12", "Name: Ann\nAge: 12", "Name: Ann\nAge: 13"),
    ],
    "padding before a number": [Row("a.txt   12", "a.txt 12", "a.txt   13")],
    "durations": [
        Row("3 passed in 0.12s", "3 passed in 1m12s", "2 passed, 1 failed in 0.12s"),
        Row("ok  \tpkg\t0.012s", "ok  \tpkg\t12.5s", "ok  \tpkg/b\t0.012s"),
        Row("up for 23hrs:58mins:16sec", "up for 3hrs:07mins:59sec", "up for 23"),
    ],
    "clocks": [Row("at 10:00:01", "at 23:59:59.5", "at 10:00")],
    "addresses in memory": [
        Row(
            "<obj at 0x7f3ab2c4d5e6>, <obj at 0x7f3ab2c4d5e6>",
            "<obj at 0x7f3ab2c4d5e6>, <obj at 0x7f00aa11bb22>",
            "<obj at 0x1f>, <obj at 0x2f>",
        )
    ],
    "Python's ids of objects": [Row("id=140234567890123", "id=139987654321098", "id=240234567890123")],
}


def test_the_docs_have_a_row_for_each_rule_in_their_order():
    section = Path("docs/kdiff.md").read_text().split("### Noise")[1].split("\n### ")[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in section.splitlines() if line.startswith("| ")]
    assert rows[1:] == RULES


def _form(text: str, *, is_answer: bool = True) -> tuple[str, int]:
    normalized = normalize_text(text, IgnoreRules(), should_mask_noise=is_answer)
    return normalized.form, len(normalized.id_hashes)


def test_each_rule_has_a_row_and_each_row_a_rule():
    assert sorted(ROWS) == sorted(RULES)


ALL_ROWS = [(name, row) for name, rows in ROWS.items() for row in rows]


@pytest.mark.parametrize(("name", "row"), ALL_ROWS)
def test_noise_makes_no_difference_and_a_near_miss_does(name, row):
    assert _form(row.a) == _form(row.b)
    assert _form(row.other) != _form(row.a)
    assert _form(row.other) != _form(row.b)


@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: {"stdout": text, "code": 0}, lambda text: [[text]]])
@pytest.mark.parametrize(("name", "row"), ALL_ROWS)
def test_two_sessions_with_noise_in_an_answer_are_the_same(name, row, wrap, new_script, compare_events):
    a, b, other = (
        new_script(side).calls("bash.run", {"command": "make test"}, wrap(text)).ends().events
        for side, text in zip("abc", row, strict=True)
    )
    assert (found := compare_events(a, b)).verdict.kind is VerdictKind.SAME
    assert all(pair.a.signature.result_hash == pair.b.signature.result_hash for pair in found.comparison.pairs), (
        "payloads had to be read"
    )
    assert compare_events(a, other).kinds in (["changed"], ["error"])
    assert compare_events(b, other).kinds in (["changed"], ["error"])


@pytest.mark.parametrize(
    "piece",
    ['{"path":"/a-b/1-c","x":1},', " ", "1,", "up a ", "[", "\r", "1", "5m ", "[gw0] a\n", "NAME AGE\n", "in 1 hour "],
)
def test_long_repetitions_of_what_a_rule_begins_with_take_time_in_proportion(piece):
    ends = "Downloading\r100%\n", "x 3 kB/s (12 ms) y load average z\n"
    text = ends[0] + piece * 20_000 + ends[1]
    assert normalize_text(text, IgnoreRules(), should_mask_noise=True).form  # a rule that backtracks takes minutes


FACTS = [
    ("HTTP/1.1 200 OK\n\nName: Bob\nAge: 42", "HTTP/1.1 200 OK\n\nName: Bob\nAge: 24"),
    ("* Connected to x.com (1.2.3.4) port 80 (#0)", "* Connected to x.com (1.2.3.4) port 8080 (#0)"),
    ("iPhone 6s", "iPhone 5s"),
    ("1990s", "1980s"),
    ("timeout: 30s", "timeout: 300s"),
    ("Limit: 100 requests/s", "Limit: 200 requests/s"),
    ("Fiber 100 Mbps", "Fiber 50 Mbps"),
    ("CPU: 4 cores, Memory: 16 GB", "CPU: 4 cores, Memory: 32 GB"),
    ("[#..#]\n[####]", "[##..]\n[####]"),
    ("1/3 test_add FAILED\rdone", "1/3 test_sub FAILED\rdone"),
    ("Device: 12 turned off", "Device: 13 turned off"),
    ("?pid=1234", "?pid=1235"),
    ("Seed 1: Alcaraz", "Seed 2: Alcaraz"),
    ("scanned 1000000..2000000", "scanned 1000000..3000000"),
    ("Departure: Tue, 03 Feb 2026 10:00:00 GMT", "Departure: Tue, 04 Feb 2026 10:00:00 GMT"),
    ("ordered 2 days ago", "ordered 3 days ago"),
    ("pool (25m)\nsauna", "pool (50m)\nsauna"),
    ("Duration: 30 s", "Duration: 45 s"),
    ("Memory: 3.1M", "Memory: 4.0M"),
    ("plan (cached)", "plan"),
    ("Downloading report.pdf", "Using cached report.pdf"),
    ("Compiling a report", "Compiling a list"),
    ("3 workers are ill", "4 workers are ill"),
    ("AGE\n42d", "AGE\n43d"),
    ("meet at [01:02 am]", "meet at [02:02 am]"),
    ("*  expire date: Apr 15 23:59:59 2026 GMT", "*  expire date: Jan 20 23:59:59 2026 GMT"),
]


@pytest.mark.parametrize(("a", "b"), FACTS)
def test_facts_that_look_like_noise_are_compared(a, b):
    assert _form(a) != _form(b)


@pytest.mark.parametrize(("tagged", "is_same"), [("4ee207f", True), ("0ddba11", False)])
def test_a_short_hash_of_a_commit_is_compared_by_its_role_in_a_later_call(tagged, is_same, new_script, compare_events):
    a, b = (
        new_script(side)
        .calls("bash", {"command": "git commit -am x"}, f"[main {printed}] x")
        .calls("bash", {"command": f"git tag v1 {tag}"}, "")
        .ends()
        .events
        for side, printed, tag in (("a", "35bf992", "35bf992"), ("b", "4ee207f", tagged))
    )
    assert (compare_events(a, b).verdict.kind is VerdictKind.SAME) is is_same


def test_noise_in_an_argument_is_what_the_agent_asked_for(new_script, compare_events):
    for a, b in ((4121, 988), ("port 49152", "port 51744"), ("seed 1234", "seed 98"), ("sleep 1.5 s", "sleep 9.5 s")):
        sides = (new_script(n).calls("job.start", {"n": each}).ends().events for n, each in (("a", a), ("b", b)))
        assert compare_events(*sides).decisive.kind == "changed"


def test_what_a_person_says_is_no_noise(new_script, compare_events):
    for a, b in (("kill process id 4121", "kill process id 988"), ("use port 49152", "use port 51744")):
        sides = (new_script(n).add("user_message", {"text": each}).ends().events for n, each in (("a", a), ("b", b)))
        assert compare_events(*sides).kinds == ["changed"]


@pytest.mark.parametrize(
    ("a", "b", "is_same"),
    [
        ("up at 10:00:01", "up at 10:01:00", True),
        ("10:00:00 up\n10:00:07 ok", "10:00:01 up\n10:01:00 ok", True),
        ("2026-02-03T10:00:00Z", "2026-02-03T10:00:01Z", True),
        ("2026-02-03 10:00:00 up", "2026-02-03 10:07:31.25 up", True),
        ("the slot is 14:30:00", "the slot is 15:00:00", False),
        ("2026-02-03T10:00:00Z", "2026-02-04T10:00:00Z", False),
    ],
)
def test_a_clock_that_happens_to_show_a_whole_minute_is_noise_beside_one_that_does_not(
    a, b, is_same, new_script, compare_events
):
    sides = [new_script(name).calls("web.get", {"u": 1}, each).ends().events for name, each in (("a", a), ("b", b))]
    assert (compare_events(*sides).verdict.kind is VerdictKind.SAME) is is_same


STORY = ["sess_invoice_ok", "sess_refund_5536", "sess_support_4135", "sess_coding_1079", "sess_research_2204"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_noise_in_a_copy_of_any_session_changes_nothing_and_another_value_is_found(
    data, story_sessions, compare_events, rename_session
):
    a = copy.deepcopy(story_sessions[data.draw(st.sampled_from(STORY))])
    b = rename_session(a)
    answered = [n for n, event in enumerate(a) if event["event_type"] == "tool_call" and event["payload"].get("output")]
    rows = st.dictionaries(st.sampled_from(answered), st.sampled_from(ALL_ROWS), min_size=1, max_size=6)
    for number, (_, row) in data.draw(rows).items():
        for events, line in ((a, row.a), (b, row.b)):
            _append_line(events[number]["payload"], line)
    assert compare_events(a, b).verdict.kind is VerdictKind.SAME
    number = data.draw(st.sampled_from(answered))
    _append_line(a[number]["payload"], "3 passed")
    _append_line(b[number]["payload"], "2 passed, 1 failed")
    assert compare_events(a, b).verdict.kind is VerdictKind.DIFFERENT


def _append_line(payload, line):
    output = payload["output"]
    if isinstance(output, str):
        payload["output"] = f"{output}\n{line}"
    elif isinstance(output, dict):
        payload["output"] = {**output, "log": f"{output.get('log', '')}\n{line}"}
    else:
        payload["output"] = [output, line]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        (
            {"headers": {"Date": "x", "Age": "12", "CF-RAY": "1-A"}},
            {"headers": {"Date": "y", "Age": "9", "CF-RAY": "2-B"}},
        ),
        ({"pid": 4121, "status": "up"}, {"pid": 988, "status": "up"}),
        ({"file": "/tmp/tmpab12cd34/a.txt"}, {"file": "/tmp/tmpzz99xx11/a.txt"}),
        ({"file": "/tmp/pytest-of-u/pytest-12/a.txt"}, {"file": "/tmp/pytest-of-u/pytest-13/a.txt"}),
        ({"file": "/tmp/tmp.AbCdEfGhIj"}, {"file": "/tmp/tmp.ZyXwVuTsRq"}),
        ({"pod": "web-7d9c5b8f6d-x2x4q"}, {"pod": "web-5b8f6d7d9c-bcdfg"}),
        ("root@3f2a1b4c5d6e:/# ls", "root@aa2a1b4c5d6f:/# ls"),
        ('{"pid": 4121, "n": 1.0}', {"pid": 988, "n": 1}),
    ],
)
def test_noise_in_the_members_of_an_answer_makes_no_difference(a, b, new_script, compare_events):
    sides = [new_script(name).calls("web.get", {"u": 1}, each).ends().events for name, each in (("a", a), ("b", b))]
    assert compare_events(*sides).verdict.kind is VerdictKind.SAME


@pytest.mark.parametrize(
    ("a", "b"),
    [
        ({"headers": {"Location": "/a"}}, {"headers": {"Location": "/b"}}),
        ({"age": 12}, {"age": 13}),
        ({"date": "2026-02-03"}, {"date": "2026-02-04"}),
        ({"file": "/tmp/tmpab12cd34/a.txt"}, {"file": "/tmp/tmpzz99xx11/b.txt"}),
        ("saved to /tmp/report.csv", "saved to /tmp/summary.csv"),
        ({"exit_code": 0}, {"exit_code": 2}),
        ("exit code 1", "exit code 2"),
        ({"total": 45}, {"total": 450}),
        ("flight takes 2h30m", "flight takes 3h10m"),
        ("limits: 512Mi", "limits: 256Mi"),
    ],
)
def test_another_value_in_an_answer_is_found(a, b, new_script, compare_events):
    sides = [new_script(name).calls("web.get", {"u": 1}, each).ends().events for name, each in (("a", a), ("b", b))]
    assert compare_events(*sides).kinds in (["changed"], ["error"])


NAMED_LATER = [
    ("listening, pid {}", "kill {}", ("4121", "988", "4122")),
    ("listening, pid {}", "kill -- -{}", ("4121", "9880", "9881")),
    ("listening, pid {}", "kill {}", ("12", "25", "26")),
    ({"processId": "{}", "status": "up"}, {"processId": "{}"}, ("4121", "9880", "9881")),
    ({"pid": "{}", "status": "up"}, {"pid": "{}"}, ("12", "25", "26")),
    ("[1] {}\nup", "kill -9 {} && echo done", ("4121", "988", "989")),
    ("u   {}  0.0  0.1  1234  567 ?  Ss 10:00 0:00 node a.js", "kill {}", ("4121", "988", "989")),
    ("u  {}   1  0 10:00 ?    00:00:00 node a.js", "kill {}", ("4121", "988", "989")),
    ("   {} pts/0    00:00:00 node", "kill {}", ("4121", "988", "989")),
    ("Serving HTTP on 0.0.0.0 port {} ...", "curl -s localhost:{}/health", ("40123", "51744", "51745")),
    ("Local: http://localhost:{}/", "curl http://127.0.0.1:{}", ("40123", "51744", "51745")),
    ("0.0.0.0:{}->80/tcp", "curl http://127.0.0.1:{}", ("40123", "51744", "51745")),
    ("started on {}", "ssh admin@{}.ec2.internal uptime", ("ip-10-0-3-17", "ip-10-0-44-2", "ip-10-0-44-3")),
    ({"pid": "{}", "status": "up"}, {"signal": 9, "pid": "{}"}, ("4121", "988", "989")),
    ({"process_id": "{}", "status": "up"}, "kill {}", ("4121", "988", "989")),
    ({"port": "{}", "status": "up"}, {"host": "localhost", "port": "{}"}, ("40123", "51744", "51745")),
]


def _fill(shape, name):
    if isinstance(shape, str):
        return shape.format(name)
    return {key: int(name) if value == "{}" else value for key, value in shape.items()}


@pytest.mark.parametrize(("answer", "argument", "names"), NAMED_LATER)
def test_noise_that_a_later_call_names_is_compared_by_where_it_stood(
    answer, argument, names, new_script, compare_events
):
    a, b, other = names

    def run(side, printed, named):
        script = new_script(side).calls("server.start", {}, _fill(answer, printed))
        return script.calls("bash", _fill(argument, named), "ok").ends().events

    assert compare_events(run("a", a, a), run("b", b, b)).verdict.kind is VerdictKind.SAME
    assert compare_events(run("a", a, a), run("b", b, other)).decisive.label == "bash"


NEAR, FAR = 1768485605, 1700000123
"""Unix times: of the sessions' day, and of another year."""


@pytest.mark.parametrize(
    ("a", "b", "is_same"),
    [
        ("order 1700000123 is open", "order 1700900456 is open", False),
        ({"number": FAR}, {"number": FAR + 900_000}, False),
        ("total 1600000000", "total 1700000000", False),
        ("built at 1700000123", "built at 1700900456", True),
        ("ts=1700000123 up", "ts=1700900456 up", True),
        ({"mtime": FAR}, {"mtime": FAR + 900_000}, True),
        (f"{NEAR}", f"{NEAR + 77}", True),
        ({"number": NEAR}, {"number": NEAR + 77}, True),
        ("1700000123.456 up", "1700900456.789 up", True),
        ("1700000123456 up", "1700900456789 up", True),
    ],
)
def test_a_number_of_ten_digits_in_an_answer_is_a_clock_where_a_word_or_the_day_says_so(
    a, b, is_same, new_script, compare_events
):
    sides = [new_script(name).calls("get", {"u": 1}, each).ends().events for name, each in (("a", a), ("b", b))]
    assert (compare_events(*sides).verdict.kind is VerdictKind.SAME) is is_same


@pytest.mark.parametrize(
    ("a", "b", "is_same"),
    [
        ("2026-03-01T10:15:30Z", "2026-03-02T10:15:30Z", False),
        ("2026-03-01T10:15:30", "2026-01-15T14:00:09", False),
        ("from 2025-03-01T10:15:30Z on", "from 2025-03-02T10:15:30Z on", False),
        ("2026-01-15T14:00:01.123Z", "2026-01-15T14:00:09.456Z", True),
        ("since 2026-01-15T13:00:01", "since 2026-01-15T13:00:09", True),
        (NEAR, NEAR + 77, True),
        (NEAR - NEAR % 60, NEAR - NEAR % 60 + 3600, False),
        (f"{NEAR - NEAR % 60}000", f"{NEAR - NEAR % 60 + 3600}000", False),
        (f"SET at = {NEAR - NEAR % 60}", f"SET at = {NEAR - NEAR % 60 + 3600}", False),
        ("20260115T140009Z", "20260115T140107Z", True),
        ("20260115T140000Z", "20260115T150000Z", False),
        (FAR, FAR + 77, False),
    ],
)
def test_a_time_in_an_argument_was_chosen_unless_it_is_near_the_sessions_own_clock(
    a, b, is_same, new_script, compare_events
):
    sides = [new_script(name).calls("book", {"when": each}).ends().events for name, each in (("a", a), ("b", b))]
    assert (compare_events(*sides).verdict.kind is VerdictKind.SAME) is is_same


def test_an_equal_time_is_one_time_whatever_the_clocks_of_the_sessions_say(new_script, compare_events, rename_session):
    a = new_script("a").calls("book", {"when": "2026-01-15T14:00:09", "n": 1}).ends().events
    b = rename_session(a)
    for event in b:
        event["timestamp"] = event["timestamp"].replace("2026-01", "2026-06")
    assert compare_events(a, b).verdict.kind is VerdictKind.SAME


@pytest.mark.parametrize(
    ("a", "b", "is_same"),
    [
        ("2026-01-15T15:00:07Z", "2026-01-18T15:01:24Z", True),
        ("2026-01-15T15:00:07Z", "2026-01-18T15:01:00Z", True),
        ("2026-03-31T23:59:59Z", "2026-04-30T23:59:59Z", False),
        ("2026-03-31T12:00:00Z", "2026-04-30T12:00:00Z", False),
        ("2026-03-31", "2026-04-30", False),
        (1772323200, 1803859200, False),
        (1772323207, 1803859260, True),
        (1772323207, 1803859211, True),
    ],
)
def test_an_expiry_was_measured_only_if_its_clock_shows_odd_seconds(a, b, is_same, new_script, compare_events):
    sides = [
        new_script(name).calls("get", {"u": 1}, {"expires_at": each}).ends().events
        for name, each in (("a", a), ("b", b))
    ]
    assert (compare_events(*sides).verdict.kind is VerdictKind.SAME) is is_same


@pytest.mark.parametrize(
    ("answer_a", "answer_b", "argument"),
    [
        (
            [{"name": "web", "pid": 12}, {"name": "db", "pid": 13}],
            [{"name": "web", "pid": 13}, {"name": "db", "pid": 12}],
            {"pid": 12},
        ),
        ("web on port 49152", "web on port 51744", {"url": "http://localhost:49152/drop"}),
        (
            "db on ip-10-0-3-17: ok\nweb on ip-10-0-3-18: ok",
            "db on ip-10-0-3-18: ok\nweb on ip-10-0-3-17: ok",
            {"host": "ip-10-0-3-17"},
        ),
        ("web, pid 12", "web, pid 13", {"command": "kill 12"}),
    ],
)
def test_an_equal_process_port_or_host_that_stood_for_another_is_another(
    answer_a, answer_b, argument, new_script, compare_events
):
    a, b = (
        new_script(name).calls("list", {}, each).calls("kill_it", argument, "ok").ends().events
        for name, each in (("a", answer_a), ("b", answer_b))
    )
    assert compare_events(a, b).decisive.label == "kill_it"


def test_a_number_that_happens_to_be_a_process_id_is_a_number(new_script, compare_events):
    a, b = (
        new_script(name).calls("list", {}, f"web, pid {pid}").calls("pay", {"amount": 4121}, "ok").ends().events
        for name, pid in (("a", 4121), ("b", 988))
    )
    assert compare_events(a, b).verdict.kind is VerdictKind.SAME


@pytest.mark.parametrize("member", ["port", "server_port", "serverPort", "DEBUG_PORT"])
@pytest.mark.parametrize("as_value", [int, str])
@pytest.mark.parametrize(
    "argument", [{"url": "http://localhost:{}/drop"}, {"port": "{}"}, {"server_port": "{}"}, {"targetPort": "{}"}]
)
def test_a_free_port_is_one_whatever_its_member_is_called(member, as_value, argument, new_script, compare_events):
    def run(side, ports, named):
        ((key, text),) = argument.items()
        value = text.format(named) if text != "{}" else as_value(named)
        script = new_script(side).calls(
            "start", {}, {member: as_value(ports[0]), f"admin_{member}": as_value(ports[1])}
        )
        return script.calls("drop", {key: value}, "ok").ends().events

    a = run("a", (49152, 49999), 49152)
    assert compare_events(a, run("b", (51744, 52999), 51744)).verdict.kind is VerdictKind.SAME
    assert compare_events(a, run("b", (51744, 52999), 52999)).decisive.label == "drop"
    assert compare_events(a, run("b", (51744, 52999), 49152)).decisive.label == "drop"


@pytest.mark.parametrize("answer", ["Terminated session {}", "Sent SIGTERM to {}.", "{} killed", {"killed": "{}"}])
def test_a_later_answer_may_name_a_process_too(answer, new_script, compare_events):
    def run(side, pid, named):
        script = (
            new_script(side).calls("start", {}, f"Started with PID {pid}").calls("kill_process", {"pid": pid}, "ok")
        )
        return script.calls("get_log", {}, _fill(answer, named)).ends().events

    a = run("a", 4121, 4121)
    assert compare_events(a, run("b", 9880, 9880)).verdict.kind is VerdictKind.SAME
    assert compare_events(a, run("b", 9880, 7777)).decisive.label == "get_log"
