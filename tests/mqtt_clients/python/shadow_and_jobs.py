"""The shadow and jobs clients of the AWS IoT Device SDK, over an MQTT 5 client without TLS.

It reports the shadow's delta as done, and carries out jobs until their document says that it is the last one. Its session is kept, and
its streams are opened before it connects, so that they get what comes while it is not connected or not running.
"""

import sys
import threading

from awscrt import io, mqtt5, mqtt_request_response
from awsiot import ServiceStreamOptions, iotjobs, iotshadow

address, password, client_id, thing = sys.argv[1:5]
host, port = address.rsplit(":", 1)
connected, ended, subscribed = threading.Event(), threading.Event(), threading.Semaphore(0)
client = mqtt5.Client(
    mqtt5.ClientOptions(
        host_name=host,
        port=int(port),
        bootstrap=io.ClientBootstrap.get_or_create_static_default(),
        connect_options=mqtt5.ConnectPacket(
            client_id=client_id, username="program", password=password, session_expiry_interval_sec=3600
        ),
        session_behavior=mqtt5.ClientSessionBehaviorType.REJOIN_ALWAYS,
        on_lifecycle_event_connection_success_fn=lambda _: connected.set(),
        min_reconnect_delay_ms=1000,
        max_reconnect_delay_ms=2000,
    )
)
options = mqtt_request_response.ClientOptions(
    max_request_response_subscriptions=8, max_streaming_subscriptions=4, operation_timeout_in_seconds=30
)
shadows = iotshadow.IotShadowClientV2(client, options)
jobs = iotjobs.IotJobsClientV2(client, options)


def stream(name, listener):
    """Options of a stream of events; the caller waits until it is subscribed."""
    established = mqtt_request_response.SubscriptionStatusEventType.SUBSCRIPTION_ESTABLISHED

    def on_status(event):
        if event.type == established:
            print("established", name, flush=True)
            subscribed.release()

    return ServiceStreamOptions(incoming_event_listener=listener, subscription_status_listener=on_status)


def on_delta(event):
    print("delta", event.state, flush=True)
    state = iotshadow.ShadowState(reported=event.state)
    reported = shadows.update_shadow(iotshadow.UpdateShadowRequest(thing_name=thing, state=state))
    reported.add_done_callback(lambda done: print("reported", done.result().version, flush=True))


def on_next_job(event):
    if event.execution is not None and event.execution.job_id is not None:
        threading.Thread(target=carry_out, daemon=True).start()


def carry_out():
    started = jobs.start_next_pending_job_execution(
        iotjobs.StartNextPendingJobExecutionRequest(thing_name=thing)
    ).result()
    if started.execution is None:
        return
    print("job", started.execution.job_document, flush=True)
    jobs.update_job_execution(
        iotjobs.UpdateJobExecutionRequest(
            thing_name=thing,
            job_id=started.execution.job_id,
            status="SUCCEEDED",
            expected_version=started.execution.version_number,
        )
    ).result()
    print("job done", flush=True)
    if started.execution.job_document.get("last"):
        ended.set()


deltas = shadows.create_shadow_delta_updated_stream(
    iotshadow.ShadowDeltaUpdatedSubscriptionRequest(thing_name=thing), stream("delta", on_delta)
)
next_jobs = jobs.create_next_job_execution_changed_stream(
    iotjobs.NextJobExecutionChangedSubscriptionRequest(thing_name=thing), stream("job", on_next_job)
)
deltas.open()
next_jobs.open()
client.start()
if not connected.wait(30):
    sys.exit("no connection")
subscribed.acquire()
subscribed.acquire()
try:
    shadows.get_shadow(iotshadow.GetShadowRequest(thing_name=thing)).result()
except Exception as error:
    # awsiot.V2ServiceException: there is no shadow yet.
    print("no shadow", error.__dict__["modeled_error"].code, flush=True)
pending = jobs.get_pending_job_executions(iotjobs.GetPendingJobExecutionsRequest(thing_name=thing)).result()
print("ready", len(pending.queued_jobs), flush=True)
ended.wait()
client.stop()
