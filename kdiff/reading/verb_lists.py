"""Word lists: verbs of tools that read or change, and shell commands that only read."""

READ_VERBS = frozenset({
    "analyse", "analyze", "ask", "browse", "calc", "calculate", "cat", "check", "classify", "compare",
    "compute", "count", "describe", "diff", "download", "echo", "embed", "estimate", "eval", "evaluate",
    "exists", "explore", "extract", "fetch", "find", "get", "glob", "grep", "has", "head", "help", "history",
    "info", "inspect", "is", "list", "load", "log", "look", "lookup", "ls", "measure", "monitor", "outline",
    "parse", "peek", "ping", "plan", "poll", "preview", "print", "query", "quote", "rank", "read", "reason",
    "recall", "resolve", "retrieve", "scan", "screenshot", "search", "select", "show", "sleep", "stat",
    "status", "suggest", "summarise", "summarize", "summary", "tail", "test", "think", "trace", "track",
    "translate", "validate", "verify", "view", "wait", "watch", "weigh", "whoami",
})  # fmt: skip
"""Verbs in the name of a tool that only reads."""
CHANGE_VERBS = frozenset({
    "accept", "add", "append", "apply", "approve", "archive", "assign", "bash", "bill", "block", "book", "buy",
    "cancel", "capture", "change", "charge", "click", "close", "commit", "confirm", "copy", "create", "credit",
    "debit", "decline", "delete", "deploy", "disable", "dispatch", "drag", "drop", "edit", "email", "enable",
    "exec", "execute", "file", "fill", "finalise", "finalize", "forget", "grant", "hold", "import", "insert",
    "install", "invite", "invoice", "issue", "kill", "label", "lock", "mail", "mark", "merge", "migrate",
    "modify", "move", "navigate", "notify", "open_ticket", "order", "patch", "pay", "post", "press",
    "provision", "publish", "purchase", "push", "put", "rebase", "redeem", "refund", "register", "reject",
    "release", "remember", "remove", "rename", "reopen", "replace", "reply", "reschedule", "reserve", "reset",
    "resolve_ticket", "respond", "restart", "restore", "revoke", "rollback", "rotate", "run", "save", "scale",
    "schedule", "sell", "send", "set", "shell", "ship", "sign", "start", "stop", "store", "submit", "subscribe",
    "tag", "terminate", "trade", "transfer", "trigger", "truncate", "type", "unblock", "uninstall", "unlock",
    "unsubscribe", "update", "upload", "upsert", "void", "write",
})  # fmt: skip
"""Verbs in the name of a tool that changes state."""
SHELL_READS = frozenset({
    "awk", "cat", "cd", "column", "cut", "date", "df", "diff", "du", "echo", "egrep", "env", "file", "find",
    "grep", "head", "help", "id", "jq", "less", "ls", "man", "md5sum", "more", "mypy", "nl", "od", "printenv",
    "ps", "pwd", "pytest", "rg", "sha256sum", "shellcheck", "sleep", "sort", "stat", "tail", "test", "top", "tox", "tr",
    "tree", "true", "type", "uname", "uniq", "wc", "whereis", "which", "whoami", "xxd", "yq",
})  # fmt: skip
"""Shell commands that only read, with any arguments. Redirections are checked separately."""
SHELL_SUB_READS = {
    "git": frozenset(
        {"blame", "branch", "describe", "diff", "grep", "log", "ls-files", "remote", "rev-parse", "show", "status"}
    ),
    "kubectl": frozenset({"describe", "explain", "get", "logs", "top"}),
    "docker": frozenset({"images", "inspect", "logs", "ps", "stats"}),
    "pip": frozenset({"check", "freeze", "list", "show"}),
    "npm": frozenset({"list", "ls", "outdated", "view"}),
}
"""Subcommands that only read, of programs that have both kinds."""
