"""What the reasons that are no bare reply code mean and what to do about them: texts alone.

A name, then what it means, then the advice; lines with `#` only group them. `rules.reasons` reads the table.
"""

LISTED = """
# seconds, and calls that were not made
ok
    The call met all that was expected.
    Nothing to do.
no_call
    No call was due or made in this second.
    Nothing to do: an endpoint with a longer `every` has such seconds.
throttled
    No call was made because the vendor asked us to wait.
    Call less often (`every`) or have the vendor raise the limit.
late_start
    The call could not begin within its own second and was not made.
    Look at the load of this machine; prober_start_lag_seconds shows since when.
own_limit
    The call was not made: as many as `hold` or the descriptor limit allow were open.
    Raise `hold` or the limit of open files if this goes on without an outage.
stalled
    This process stood still: stopped, suspended, or its machine paused.
    Look for suspends, VM migration or heavy load at that time.
clock_stepped
    The system clock jumped by more than 250 ms.
    Check the time synchronisation of this machine; it should slew, not step.
not_running
    The prober was not running in this second.
    Nothing was measured; see the service manager's log for why it was down.
# suspicions
controls_failed
    The call failed on the wire, and every control failed around the same time.
    Check our own network first: link, firewall, DNS, provider.
uncorroborated
    The call failed on the wire, and no control is configured to tell whose fault it is.
    Configure `controls` outside the vendor and outside our own network.
# names
dns_nxdomain
    The resolver says that the name does not exist.
    Check the spelling, then ask the name's authoritative servers directly.
dns_servfail
    The resolver could not get an answer (SERVFAIL, REFUSED).
    Try another resolver; DNSSEC or the zone's servers may be broken.
dns_timeout
    The name was not resolved in time.
    Check that our resolvers can be reached; then ask the authoritative servers directly.
dns_no_address
    The name exists but has no address.
    Check the name and whether it has A or AAAA records.
dns_failed
    The resolver answered with something that cannot be used.
    See the call's detail and try another resolver.
# connections
connect_timeout
    No connection within the call's time-out: packets went unanswered.
    Trace the route from here and from elsewhere; compare with the controls.
connection_refused
    The server's address refused the connection.
    Check from a second network that no firewall of ours rejects it.
connection_reset
    The connection was reset before a reply was complete.
    Look at the transcript; repeat the call from a second network.
dropped
    The server closed the connection before the headers of its reply were complete.
    Look at the transcript; repeat the call from a second network.
host_unreachable
    A router reported that the host cannot be reached.
    Trace the route: see whether the report comes from our network or the vendor's.
reset_reused
    A kept connection died before a byte of the reply, and no fresh one could be tried.
    A server may close idle connections at any time; use `connection: fresh` for evidence.
timeout_reused
    A kept connection stayed silent and never acknowledged the request.
    The connection itself may have been dead; `connection: fresh` gives proof.
proxy_error
    The call failed in or behind our own proxy, which cannot be told from the vendor.
    Check the proxy's log, then call the vendor without it.
# TLS
tls_timeout
    The TLS handshake was not finished within the call's time-out.
    Repeat it with a TLS client from a second network; compare with the controls.
tls_dropped
    The connection ended in the middle of the TLS handshake.
    Repeat it with a TLS client from a second network: a middlebox may cut it.
tls_alert
    The server ended the TLS handshake with an alert.
    The alert is in the call's detail; check versions, SNI and the client certificate.
tls_failed
    What the server sent is not a valid TLS handshake.
    Check that the port speaks TLS (`tls: implicit` or `starttls`) and see the transcript.
tls_certificate_expired
    The server's certificate has expired.
    Check our clock; look at the certificate's serial from a second network.
tls_certificate_not_yet_valid
    The server's certificate is not valid yet.
    Check our clock first, then the certificate's dates.
tls_certificate_wrong_host
    The server's certificate is for another name.
    Check host, `sni` and `resolve`; another name may mean interception.
tls_certificate_unknown_issuer
    The server's certificate comes from an issuer that we do not trust.
    Check `ca`; an unknown issuer may mean that a middlebox intercepts.
tls_certificate_unverified
    The server's certificate could not be verified.
    See the call's detail for what the TLS library objected to.
# HTTP
write_timeout
    The request could not be sent whole within the call's time-out.
    Check our uplink; the server may have stopped reading.
read_timeout
    The request was sent and no complete header came within the call's time-out.
    Repeat the request by hand; compare with the controls and the vendor's status page.
body_timeout
    The reply began but its body did not end within the call's time-out.
    Repeat the request by hand and see how far it comes.
reset_in_body
    The connection was reset within the reply's body.
    Look at the transcript; repeat the call from a second network.
truncated
    The connection was closed before the reply's body was complete.
    Look at the transcript; repeat the call from a second network.
malformed_http
    The reply is not HTTP.
    Look at the transcript: without verified TLS a middlebox may have written it.
reply_too_large
    The reply's line or headers exceed what any honest server sends.
    Look at the transcript; check that the address is the vendor's.
http_status_invalid
    The reply carries a status that is none (outside 100 to 599).
    Look at the transcript: who answered?
redirect_loop
    The redirects of this URL do not end.
    Check the URL and its scheme; follow the redirects by hand.
expectation_status
    The call succeeded with another status than the one expected.
    Compare `expect.status` with what the vendor documents.
expectation_header
    A header of the reply is not what `expect.header` asks for.
    Compare the header with the expectation; correct whichever is wrong.
expectation_body
    The body of the reply does not match `expect.body`.
    Compare the body with the expectation; correct whichever is wrong.
expectation_json
    A value in the reply's JSON is not what `expect.json` asks for.
    Compare the value with the expectation; correct whichever is wrong.
# the vendor's own words
vendor_internal_error
    The vendor's reply itself says that an internal error happened.
    Quote the request id from the reply to the vendor.
vendor_service_unavailable
    The vendor's reply itself says that the service is unavailable.
    Quote the request id from the reply to the vendor.
vendor_resources_unavailable
    The vendor's reply says that server resources are unavailable (SparkPost code 1502).
    Quote the request id from the reply to the vendor.
vendor_validation_error
    The vendor took the request and found fault with its content.
    Read the errors in the body and correct the request.
rate_limited
    The vendor limits how much or how fast we send.
    Call less often, spread the sending, or have the limit raised.
# SMTP
malformed_smtp
    The reply is not SMTP.
    Look at the transcript: without verified TLS a middlebox may have written it.
starttls_not_offered
    STARTTLS is configured, and the server does not offer it.
    Repeat EHLO from a second network: a middlebox may strip the offer.
auth_mechanism
    The server offers no login mechanism that we speak (PLAIN, LOGIN, CRAM-MD5).
    Check port and `tls`: many servers offer AUTH under TLS alone.
extension_missing
    The message needs an SMTP extension (SMTPUTF8) that the server does not offer.
    Use addresses in ASCII for the probe's mail.
dropped_idle
    The server closed a kept connection that had idled for a minute or more.
    Normal for SMTP servers; use `connection: fresh` for evidence.
dropped_after_many
    The server closed a connection that had carried 100 messages or more.
    Normal for SMTP servers; use `connection: fresh` for evidence.
smtp_policy
    The server refused by its policy or its security rules (enhanced code x.7.x).
    Read the reply: credentials, sending domain, reputation or a block list.
smtp_address
    The server refused an address (enhanced code x.1.x).
    Check `mail.from` and `mail.to`.
smtp_mailbox
    The receiving mailbox refuses (enhanced code x.2.x).
    Check that the mailbox behind `mail.to` exists and has room.
smtp_content
    The server refused the message's content (enhanced code x.6.x).
    Check headers and body of the probe's mail against the vendor's rules.
smtp_protocol
    The server objects to the dialogue itself (enhanced code x.5.x).
    Look at the transcript; check what the server offers after EHLO.
smtp_size
    The message is larger than the server takes (enhanced code 5.3.4).
    Lower `mail.size`.
# our own machine
no_route
    This machine has no route to the address (network unreachable or down).
    Check our links and routes; for IPv6 alone, check whether this machine has it.
not_permitted
    This machine forbids the connection: a local firewall or sandbox.
    Check local firewall rules and the service's sandbox.
no_descriptors
    This machine or process has no file descriptor left.
    Raise the limit of open files (LimitNOFILE) or call fewer endpoints.
no_ports
    This machine has no local port left for the address.
    Widen the local port range or use `connection: reuse`.
no_memory
    This machine has no memory left for the connection.
    Look at memory and socket buffers of this machine.
engine_error
    The prober itself failed, or saw what its rules do not know.
    A defect of ours: report it with the call's transcript.
"""
