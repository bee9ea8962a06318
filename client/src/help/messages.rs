//! The help about publishing and subscribing.

pub(super) const PUBLISH: &str = "\
gatepost publish TOPIC [MESSAGE] [OPTIONS]: a message to AWS

Publishes MESSAGE, or what comes on stdin, through the gateway's MQTT session;
{thing} in the topic stands for the thing name. It is quiet and ends with 0 once
the message is on the disk: from then on gatepost sends it until AWS has it.

  gatepost publish '{thing}/door' '{\"open\":true}'
  sensor | gatepost publish '{thing}/temperature' --lines

Options:
  --qos 0|1            0: sent now or refused, never kept (default: 1)
  --retain             the broker keeps it for those who subscribe later
  --wait               until AWS has acknowledged it
  --timeout SECONDS    for how long at the most, with --wait (default: 30)
  --content-type TYPE  what the payload is, for those who receive it
  --expiry SECONDS     after which nobody wants it any more
  --lines              each line of stdin is a message; empty ones are left out

With --lines the first line that is refused ends it, and its number is said: all
lines before are accepted, none behind it was sent.

Exit codes: 64 topic or option wrong; 65 AWS refuses the message (it is parked:
gatepost outbox), it expired, or it is larger than 128 KiB; 69 the daemon is not
running, cannot use its disk, or is offline (--qos 0); 73 no room in the outbox
or on the disk; 74 stdin cannot be read; 75 temporary, or with --wait: AWS has
not acknowledged it in time, it is kept and will be sent; 77 not allowed.
";

pub(super) const SUBSCRIBE: &str = "\
gatepost subscribe FILTER [OPTIONS]: messages from AWS

Prints each message as a line of JSON: topic, payload (payload_base64 where it
is no text), qos, received, and the properties it came with. {thing} in the
filter stands for the thing name; + is any level, # all levels that follow.

  gatepost subscribe '{thing}/commands/#' | jq -r .payload

Options:
  --qos 0|1   0: messages of the time offline are not kept by AWS (default: 1)
  --name N    a durable subscription: gatepost keeps its messages on the disk
              while nobody reads; each is taken as read once it is printed
  --no-ack    with --name: somebody else says what is read, with
              gatepost subscriptions ack N ID
  --count N   end after so many messages

After a crash, messages of a durable subscription come again that were printed
last; none is left out. It has one reader: a new one takes its place.

Exit codes: 0 --count was reached; 64 wrong usage; 66 the durable subscription
was deleted; 69 the daemon is not running, cannot use its disk, or another
reader took over; 74 stdout cannot be written, without a word where its reader
has left; 75 the daemon ended, or this program read too slowly; 77 not allowed,
by an [[access]] rule or by AWS.
";

pub(super) const SUBSCRIPTIONS: &str = "\
gatepost subscriptions [list] [--json]: the durable subscriptions
gatepost subscriptions delete NAME: end one, and forget what waits for it
gatepost subscriptions ack NAME ID: all up to message ID are dealt with

A durable subscription is made by gatepost subscribe FILTER --name NAME, and
stays until it is deleted. The list has this user's, or everybody's for those
who may do everything: how many messages wait and their size, and how many were
lost because the subscription's room was full. With --json: an object a line.

Exit codes: 66 there is no such subscription, 69 the daemon is not running,
77 it is another user's.
";

pub(super) const OUTBOX: &str = "\
gatepost outbox [list] [--parked] [--json]: what waits to be sent
gatepost outbox show ID [--json]: a message, and everything known of it
gatepost outbox purge ID|queued|parked: delete
gatepost outbox retry ID|parked: send again

Messages are queued, sent (and AWS has not answered yet) or parked: AWS did not
take them, for the reason that is shown, and gatepost does not try them again by
itself. Once the reason is mended, retry queues them anew, behind what is there;
or purge deletes them. Neither asks; both say how many messages it were. With
--json: an object a line.

For those who may publish and subscribe to everything.

Exit codes: 66 there is no such message (any more), 69 the daemon is not
running, 77 not allowed.
";
