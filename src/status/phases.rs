//! The phases of each part of the status, with their names in the status document and their events in the journal.

use std::fmt;

use crate::event::Event;

/// Declares the phases of a part: an enum whose variants are followed by their name in the status and their event in the journal.
macro_rules! phases {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal, $event:ident;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self { $(Self::$variant => $word,)+ })
            }
        }

        impl $crate::status::Phase for $name {
            fn event(self) -> $crate::event::Event {
                match self { $(Self::$variant => $crate::event::Event::$event,)+ }
            }
        }
    };
}

phases! {
    /// The token's state.
    TokenPhase {
        /// Not available yet, or being reopened.
        Waiting = "waiting", TokenWaiting;
        /// Open, and the key is found.
        Ready = "ready", TokenReady;
        /// Unusable without intervention.
        Failed = "failed", TokenFailed;
    }
}

phases! {
    /// The wall clock's state.
    ClockPhase {
        /// Earlier than this program's build date.
        Unset = "unset", ClockUnset;
        /// Plausible.
        Set = "set", ClockSet;
    }
}

phases! {
    /// The state of key and certificate as one.
    IdentityPhase {
        /// The token has not provided the key yet.
        NoKey = "no-key", IdentityNoKey;
        /// The signing request is written; the certificate is missing.
        NoCertificate = "no-certificate", IdentityNoCertificate;
        /// There is a certificate, but it cannot be used.
        Refused = "refused", IdentityRefused;
        /// Certificate and key belong together and are valid.
        Ready = "ready", IdentityReady;
    }
}

phases! {
    /// The state of just-in-time provisioning.
    ProvisioningPhase {
        /// No key in the token.
        NoKey = "no-key", ProvisioningNoKey;
        /// No usable certificate.
        NoCertificate = "no-certificate", ProvisioningNoCertificate;
        /// The clock is not set, so no server certificate could be verified.
        WaitingForClock = "waiting-for-clock", ProvisioningWaitingForClock;
        /// The first connection is being made, or has not been made yet.
        FirstContact = "first-contact", ProvisioningFirstContact;
        /// AWS has dropped the first connection, and is registering the certificate.
        Pending = "pending", ProvisioningPending;
        /// AWS has accepted a connection.
        Provisioned = "provisioned", Provisioned;
    }
}

phases! {
    /// The MQTT session's state.
    SessionPhase {
        /// There is no identity to connect with yet.
        Idle = "idle", SessionIdle;
        /// A connection is being made.
        Connecting = "connecting", SessionConnecting;
        /// A CONNACK was received.
        Connected = "connected", SessionConnected;
        /// The next attempt is scheduled.
        Waiting = "waiting", SessionWaiting;
    }
}

phases! {
    /// The message store's state.
    MessagesPhase {
        /// The database is being read.
        Opening = "opening", MessagesOpening;
        /// Messages are accepted.
        Ready = "ready", MessagesReady;
        /// The database cannot be used at the moment.
        Failed = "failed", MessagesFailed;
    }
}

phases! {
    /// The loopback listener's state.
    LoopbackPhase {
        /// Not listening yet.
        Waiting = "waiting", LoopbackWaiting;
        /// Programs can connect.
        Listening = "listening", LoopbackListening;
    }
}

phases! {
    /// Whether programs that connect are accepted.
    AcceptingPhase {
        /// They are.
        Accepting = "accepting", AcceptWorks;
        /// They have to wait at one listener or several.
        Failing = "failing", AcceptFailing;
    }
}

phases! {
    /// The state of the listeners for programs that speak MQTT.
    LocalMqttPhase {
        /// None is configured.
        Off = "off", MqttOff;
        /// At least one that is configured does not listen yet.
        Waiting = "waiting", MqttNotListening;
        /// Programs can connect wherever it is configured.
        Listening = "listening", MqttListening;
    }
}

phases! {
    /// The state of the credentials files.
    CredentialsFilesPhase {
        /// A file has not been written yet, or there are no valid credentials for it.
        Waiting = "waiting", CredentialsFilesWaiting;
        /// All files hold valid credentials.
        Written = "written", CredentialsFilesWritten;
    }
}

phases! {
    /// The state of this machine's own network, as the kernel reports it.
    NetworkPhase {
        /// No default route has been seen since the start.
        Unknown = "unknown", NetworkUp;
        /// A link that is up has a default route.
        Up = "up", NetworkUp;
        /// There was a default route, and there is none now.
        Down = "down", NetworkDown;
    }
}

/// A phase that a part can be in.
pub trait Phase: Copy + PartialEq + fmt::Display {
    /// Returns the journal event for a part that enters this phase.
    fn event(self) -> Event;
}

pub(crate) use phases;
