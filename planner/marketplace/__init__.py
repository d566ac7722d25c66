"""The marketplace as a service, and the gateway as its client: one clear over sockets between processes.

    gateway --(one POST a slot, always of the same size)--> marketplace: envelopes of answers, commitments, parts
            <-(what is addressed to it since)-------------- envelopes of questions and results

The marketplace keeps an append-only store of messages; what it does next follows from the store alone, so that a
restart, a standby and anybody with the opened payloads come to the same clear.
"""
