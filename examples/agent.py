"""A recorded agent of twenty lines. Watch it: `kshark replay sess_demo_agent --cluster localhost:9092 --follow`."""

import sys
import time

from agentlog import AgentTracer

CUSTOMERS = {"Acme Corp": "cus_xyz"}


def find_customer(name: str) -> str:
    """Look up a customer in a slow database."""
    time.sleep(0.8)
    return CUSTOMERS[name]


def main(session_id: str = "sess_demo_agent", cluster: str = "localhost:9092") -> None:
    """Invoice a customer."""
    with AgentTracer(session_id, agent_id="invoice-agent", goal="Invoice Acme Corp", cluster=cluster) as tracer:
        tracer.user_message("Please invoice Acme Corp for milestone 2")
        customer = tracer.track_tool_call("crm.find", {"name": "Acme Corp"}, lambda: find_customer("Acme Corp"))
        with tracer.llm_call("claude-sonnet-4-5", "Which amount is milestone 2?") as call:
            call.output, call.input_tokens, call.output_tokens = "4,500 EUR", 2310, 184
        tracer.log_decision("create the invoice", reasoning="Milestone 2 is accepted, 4,500 EUR", confidence=0.94)
        with tracer.sub_agent("mail-agent", task="send it to the customer") as mail:
            mail.track_tool_call("mail.send", {"to": customer, "amount": 4500}, lambda: time.sleep(0.6))
        tracer.end(result={"customer": customer, "amount": 4500})


if __name__ == "__main__":
    main(*sys.argv[1:])
