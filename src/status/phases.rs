//! The phases that each part of the status goes through, by their names in the status and their events in the journal.

use std::fmt;

use crate::event::Event;

/// Declares the phases of a part: an enum whose names in the status, and whose events in the journal, are given beside it.
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
        /// Not there yet, or being opened again.
        Waiting = "waiting", TokenWaiting;
        /// Logged in, key found.
        Ready = "ready", TokenReady;
        /// Only hands can mend it.
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
        /// The token has not shown the key yet.
        NoKey = "no-key", IdentityNoKey;
        /// The request is written; a certificate is awaited.
        NoCertificate = "no-certificate", IdentityNoCertificate;
        /// A certificate is there and cannot be used.
        Refused = "refused", IdentityRefused;
        /// Certificate and key belong together and are valid.
        Ready = "ready", IdentityReady;
    }
}

phases! {
    /// How far AWS knows this gateway (just-in-time provisioning).
    ProvisioningPhase {
        /// No key in the token.
        NoKey = "no-key", ProvisioningNoKey;
        /// No usable certificate.
        NoCertificate = "no-certificate", ProvisioningNoCertificate;
        /// The clock is unset, so TLS would refuse every server.
        WaitingForClock = "waiting-for-clock", ProvisioningWaitingForClock;
        /// The first connection is being made, or was not made yet.
        FirstContact = "first-contact", ProvisioningFirstContact;
        /// AWS dropped the first connection and registers the certificate meanwhile.
        Pending = "pending", ProvisioningPending;
        /// AWS has accepted a connection.
        Provisioned = "provisioned", Provisioned;
    }
}

phases! {
    /// The MQTT session's state.
    SessionPhase {
        /// Nothing to connect with yet.
        Idle = "idle", SessionIdle;
        /// A connection is being made.
        Connecting = "connecting", SessionConnecting;
        /// CONNACK received.
        Connected = "connected", SessionConnected;
        /// Between two attempts.
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
        /// The database cannot be used now.
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
    /// The state of this machine's own network, as the kernel reports it.
    NetworkPhase {
        /// No route that leads beyond this machine's own networks has been seen since the start.
        Unknown = "unknown", NetworkUp;
        /// A link that is up has a default route.
        Up = "up", NetworkUp;
        /// There was such a route, and there is none now.
        Down = "down", NetworkDown;
    }
}

/// A state that a part can be in.
pub trait Phase: Copy + PartialEq + fmt::Display {
    /// Returns the journal event for a part that enters this state.
    fn event(self) -> Event;
}

pub(crate) use phases;
