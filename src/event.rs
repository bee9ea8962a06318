//! The events that are logged at level info or above, with their `GATEPOST_EVENT` and `MESSAGE_ID` in the journal.
//!
//! All such lines are written by `journal!`, so that none lacks these fields. systemd/gatepost.catalog, which `journalctl -x` shows,
//! explains each event and gives the next step; a test compares it and docs/operations.md with this list.

macro_rules! events {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $id:literal;)+) => {
        /// An event.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Event { $($(#[$doc])* $variant,)+ }

        impl Event {
            /// All events.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];

            /// Returns the name, the value of `GATEPOST_EVENT`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns the identifier in the journal's catalog, the value of `MESSAGE_ID`. It was created by `systemd-id128 new`
            /// and never changes.
            pub const fn id(self) -> &'static str {
                match self { $(Self::$variant => $id,)+ }
            }
        }
    };
}

impl serde::Serialize for Event {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

events! {
    // The daemon
    /// The daemon starts.
    Start = "start", "7b3da66a012241e29a673710bb3bf9db";
    /// The daemon has stopped on request.
    Stop = "stop", "9c261561dd58427aa763060171d809c2";
    /// The daemon ends: the configuration, or a file that it names, is wrong (78).
    FatalConfiguration = "fatal-configuration", "e02a7d14476f4cd2b82f5eec29a96a44";
    /// The daemon ends: the token has rejected the PIN, or it is locked (77).
    FatalPin = "fatal-pin", "d81c61582fd246bd9170262a31f59f99";
    /// systemd cannot decrypt the PIN, which is tried again. Also written by systemd/after-stop, where the service could not be
    /// started without a credential (243).
    PinUndecryptable = "pin-undecryptable", "048a5643732f47aba90e7b340c883ce4";
    /// The daemon ends: another instance is running (75).
    FatalBusy = "fatal-busy", "bc3ddebaacba4ebc8c471837766f497f";
    /// The daemon ends: a folder or the socket cannot be written (73).
    FatalFolder = "fatal-folder", "d07695a7e865440dba6c50481cbe4180";
    /// The daemon ends for another reason.
    FatalOther = "fatal", "01ba03b5648b4955b861fd07157ec3cd";
    /// The daemon has panicked.
    Panic = "panic", "182f3aeb57e0416f83f432ef11fe7acf";
    /// A crash would leave a core dump.
    CoreDumps = "core-dumps", "38c1718f5d634bf5a82af6bd56aa416f";
    /// The state of the whole gateway has changed: ready, waiting or attention.
    State = "state", "29fbe9c174d04dc6822da2d8cf90b77f";
    // Configuration
    /// The configuration was reloaded.
    Reload = "reload", "c4439c62aeaf478585affd7b20977222";
    /// A reloaded change takes effect only at a restart.
    ReloadIncomplete = "reload-incomplete", "030d2aa867a14e1dadf9fcbc40cd153d";
    /// A reload was refused: the files are wrong, and nothing was changed.
    ReloadRefused = "reload-refused", "c7a278b7bf884653adc746a25b79d6b1";
    /// The log level was changed at run time.
    LogLevel = "log-level", "b27de2a3395f4e6b858afd35905d0caf";
    /// An operator has requested immediate attempts.
    Retry = "retry", "7deabe92ecd04f8084da530cb68d7ac5";
    /// The configuration in use is the one in the files.
    ConfigurationLoaded = "configuration-loaded", "7f79cc84140e41489327b5922925a6c4";
    /// The files differ from the configuration in use.
    ConfigurationDiffers = "configuration-differs", "0c11bc8b8b93419ca0942cbc31aab23c";
    /// A change takes effect only at a restart.
    ConfigurationRestartNeeded = "configuration-restart-needed", "607afd4b111c45108f07904e7d08ad61";
    /// The files on disk are wrong.
    ConfigurationWrong = "configuration-wrong", "1feb15ed99084e62adf88f98ff129a1e";
    /// The files were wrong at the start; the last good configuration is in use.
    ConfigurationLastGood = "configuration-last-good", "d4850754cc4d47a3b71d924c8fc2d54a";
    /// The last good configuration cannot be saved or read.
    ConfigurationNotKept = "configuration-not-kept", "86c2b189922b407fa134bb1355ff127c";
    /// The daemon keeps running after a fatal problem, for the credentials that it has.
    CredentialsOutlive = "credentials-outlive", "41d8458c76e1471bba79b0a6323bd45f";
    // systemd
    /// systemd has passed an unknown file descriptor.
    DescriptorRefused = "descriptor-refused", "f0426569abb04e7eaf5e99aeccac89ca";
    /// Credentials of the previous run are used.
    CredentialsTakenOver = "credentials-taken-over", "7a3cbd82aff34f6f95c8349d59a656f0";
    /// Credentials of the previous run cannot be used.
    CredentialsNotTakenOver = "credentials-not-taken-over", "d5f7a98bf2824dec88d48773c6d4dd28";
    /// systemd does not store the credentials.
    CredentialsNotKept = "credentials-not-kept", "aa0fd35c7e2c42e08bdad5973f30f798";
    /// Credentials end with the process, because no service manager stores them.
    CredentialsDropped = "credentials-dropped", "726cc145844345ad891fe7e31414f4aa";
    /// A thread does not answer the watchdog.
    WatchdogStarved = "watchdog-starved", "b71c1dded5a84a5791791688d983e85b";
    /// All threads answer the watchdog again.
    WatchdogFed = "watchdog-fed", "45fd2d14219b4a4c92d9f0f9abce350a";
    // Token
    /// The token is not available, or is being reopened.
    TokenWaiting = "token-waiting", "0b3f76610f154c32a24545e83c8d957e";
    /// The token is open and the key is found.
    TokenReady = "token-ready", "7b386f948285487891fdefa5521be504";
    /// The token cannot be used without intervention.
    TokenFailed = "token-failed", "e9d4107a3b0a40e9bd60c9f0b074b02b";
    /// A signature has failed; the token is reopened.
    TokenFault = "token-fault", "48bb34f885914b86bd0b8a830d4a3e45";
    /// A key is being generated.
    KeyGeneration = "key-generation", "65c37604110a49bb87c8a6a8149ec181";
    /// A key is generated in a token that has others.
    KeyBesideOthers = "key-beside-others", "b73184096e5e4f01ac08665f5c841f48";
    /// The PIN file is readable by every user.
    PinFileOpen = "pin-file-open", "69c8e5857f564234842ec7cb2d8ec426";
    // Clock
    /// The clock is earlier than the build date.
    ClockUnset = "clock-unset", "8e0a9288967c4c14891a29f349b97540";
    /// The clock is plausible.
    ClockSet = "clock-set", "41766d6e5b62440eb3368faf22af0c7b";
    /// The wall clock was set.
    ClockStep = "clock-step", "2c8409deb78c4452ba1665e18082c97c";
    /// Steps of the wall clock cannot be detected.
    ClockStepsUnnoticed = "clock-steps-unnoticed", "8241d622aaa74851a75be1001e661b53";
    /// The clock is far from AWS's.
    ClockSkewed = "clock-skewed", "25f32522f5024681bc734e273315e917";
    // This machine's network
    /// No link that is up has a default route any more.
    NetworkDown = "network-down", "d79d8789b2c74daabad420cdab9ab3f3";
    /// A link that is up has a default route.
    NetworkUp = "network-up", "d8296ba458b241fdb11afb03132b52f9";
    /// Changes of this machine's network cannot be detected.
    NetworkChangesUnnoticed = "network-changes-unnoticed", "a319bb10c41e48748971b69e5bfd54f6";
    // Programs that speak MQTT
    /// Programs that speak MQTT can connect.
    MqttListening = "mqtt-listening", "0344e2486258440aad56930a3c510cc1";
    /// The MQTT listener cannot bind its socket or address.
    MqttNotListening = "mqtt-not-listening", "7343cba0a84c47fd831acd80f40974fb";
    /// No MQTT listener is configured any more.
    MqttOff = "mqtt-off", "0778c7631f95485ca85fb04843977f8f";
    /// The socket of the MQTT listener is not kept for the next run.
    MqttNotKept = "mqtt-not-kept", "acb82ec998364329b971a01e4466750e";
    /// A program's CONNECT was refused.
    MqttClientRefused = "mqtt-client-refused", "dffb1b29721e43e1a6c54973906b37ad";
    /// The MQTT connection of a program was ended.
    MqttClientCut = "mqtt-client-cut", "826a9bbfe6a8490abb949d5385c7b4cc";
    /// A message or a subscription of an MQTT program was refused.
    MqttRequestRefused = "mqtt-request-refused", "f01fe876a9c7469480c08e022b762532";
    /// A message from or to an MQTT program was dropped.
    MqttMessageDropped = "mqtt-message-dropped", "ae25fa4762c1429eb08d0798673cab68";
    // Identity
    /// The token has not provided its key yet.
    IdentityNoKey = "identity-no-key", "3261ff6151c34b5886ff88c213af51af";
    /// A certificate is awaited.
    IdentityNoCertificate = "identity-no-certificate", "55c9457b63a44240ae28255250fe2fd2";
    /// The certificate cannot be used.
    IdentityRefused = "identity-refused", "3dbd596bee884adbac4097d48fbed08a";
    /// Key and certificate belong together.
    IdentityReady = "identity-ready", "9d6d808387404d85a9552fbccb3521ba";
    /// The signing request was written.
    CsrWritten = "csr-written", "9617a4db184b471f9d5ac4902de5e62c";
    /// A certificate is in use.
    CertificateTaken = "certificate-taken", "43981266db0b47fa9bbcb94c0d45751e";
    /// A certificate was issued by enrolment and installed.
    CertificateEnrolled = "certificate-enrolled", "8641fd3bac864e1892337f19adf111ac";
    /// A job of AWS IoT has begun or ended a rotation of the certificate.
    CertificateRotation = "certificate-rotation", "477513ef0ae6498ba74447ece77835a2";
    /// A job of AWS IoT has brought no new certificate.
    CertificateRotationFailed = "certificate-rotation-failed", "a153f5b5a4e34c47a2a4732ebc0baed9";
    /// A certificate that AWS may have registered is not used.
    CertificateAbandoned = "certificate-abandoned", "e59e86cf3a9548f2a68ef083ca799d0b";
    /// A renewed certificate keeps its key, although a new one was wanted.
    KeyKept = "key-kept", "55ec3499e87d4e71b967dfab15008ee0";
    /// An enrolment attempt has failed.
    EnrolmentFailed = "enrolment-failed", "35ae1468a1d04f75a93b0d639d2781c3";
    /// The certificate expires soon, or has expired; logged once per stage.
    CertificateExpiring = "certificate-expiring", "5ddedc2b977c443ab2c8835bffa59398";
    /// A file in the state folder cannot be written.
    StateUnwritable = "state-unwritable", "4cc6428f8a804d8883463f3a89f7e85a";
    /// A file in the state folder is damaged.
    StateDamaged = "state-damaged", "e1dc7d03aba6447b90c4965181be1a6c";
    // Provisioning
    /// There is no key yet.
    ProvisioningNoKey = "provisioning-no-key", "884f271ccbd64781911d7b7be30bbd2a";
    /// There is no certificate yet.
    ProvisioningNoCertificate = "provisioning-no-certificate", "2acc5bd11d9344f691bd689bed0b6de1";
    /// The clock is not set yet.
    ProvisioningWaitingForClock = "provisioning-waiting-for-clock", "d0c6ff00376a459794c6ae0ded556ed5";
    /// The first connection with this certificate is being made.
    ProvisioningFirstContact = "provisioning-first-contact", "977cf5fe6a16415791214223ec2679d9";
    /// AWS registers the certificate.
    ProvisioningPending = "provisioning-pending", "194a70de3a694beda69bbe35c93ab10c";
    /// AWS has accepted this gateway.
    Provisioned = "provisioned", "be4f13518e73416291c8f75f435d8ef4";
    // Session
    /// There is no identity to connect with.
    SessionIdle = "session-idle", "2fa565f124bb49efa268742cdad911f5";
    /// A connection is being made.
    SessionConnecting = "session-connecting", "97b7f497a01946ababae6f4854a92387";
    /// The session is up.
    SessionConnected = "session-connected", "3231bd78496847cd9574f4c15145a6ad";
    /// Between two attempts.
    SessionWaiting = "session-waiting", "1b463a7c1c86416298e8b9dcb4787c0c";
    /// Another client uses this thing name.
    SessionTakenOver = "session-taken-over", "fe180b2e62ec4367b0669e7ff3b7dce3";
    /// The connection was lost several times within an hour.
    SessionUnstable = "session-unstable", "757e9816443e4702a2024dc180e88f3c";
    // Role aliases
    /// No credentials have been requested yet.
    AliasWaiting = "alias-waiting", "3db0985d4ac94ae9a0ce51be36d0cbc9";
    /// There are usable credentials.
    AliasValid = "alias-valid", "72cbcd2339094c1b8be28e4102a95f48";
    /// There are no usable credentials.
    AliasFailing = "alias-failing", "c912aaaed9754f0b8874f37b8cb012b2";
    /// Credentials were refreshed (debug).
    CredentialsRefreshed = "credentials-refreshed", "e0e775e099cc4ef59b0c5d3a16db7498";
    /// Refreshing credentials has failed several times within an hour.
    AliasUnstable = "alias-unstable", "e30b36cacbe94b2bb056f29b48f7ea24";
    /// Credentials have a lifetime of less than 2000 s.
    ShortLifetime = "short-lifetime", "f2881c649038468f9d87f42fcef866fd";
    // Tokens for services outside AWS
    /// No token has been requested yet.
    WebTokenWaiting = "web-token-waiting", "9bb6e9113c8048c6b511c18c241db75e";
    /// There is a usable token.
    WebTokenValid = "web-token-valid", "81c36ee738704dd3a72a665e916fd9fa";
    /// There is no usable token.
    WebTokenFailing = "web-token-failing", "9cfd6e6cd2224804a41fe1c7e863682f";
    // Programs
    /// A program was granted access to a role alias or a topic.
    AccessAllowed = "access-allowed", "91d5e54df62b4897aab9efacd2ec2681";
    /// A program was refused access.
    AccessRefused = "access-refused", "405c7e0943a540f397daaa1b03afd72f";
    // Messages
    /// The message database is being read.
    MessagesOpening = "messages-opening", "6dcb04a3d4b24bc0975832f03810b851";
    /// Messages are accepted.
    MessagesReady = "messages-ready", "193edbfc53c44a49b22194af29f8b119";
    /// The message database cannot be used.
    MessagesFailed = "messages-failed", "825f68d4f2a54a7fa12040194843d9cd";
    /// A corrupt message database was moved aside.
    DatabaseSetAside = "database-set-aside", "a687a04631f946fe9d8485c67abe1936";
    /// The message database was removed or replaced while it was in use.
    DatabaseMoved = "database-moved", "8867051645d8410493a1d35ba33d7169";
    /// The outbox is full and drops its oldest messages.
    OutboxOverflow = "outbox-overflow", "babd835de5154335bf3c17b73ed1b7b4";
    /// AWS does not accept a message.
    MessageParked = "message-parked", "93a7b87406e147fb8fbace1c6b7267ab";
    /// AWS does not accept QoS 0 messages on a topic.
    TopicRefused = "topic-refused", "5a3d0f6be1c94d7c9d0a1c2f7e48b653";
    /// A message from AWS was too large.
    MessageSkipped = "message-skipped", "e0aeb081580147d4a990b565ce4dfb88";
    /// Nobody has taken a message from AWS.
    InboxNotTaken = "inbox-not-taken", "f69946cc8eb94616a494ea78882030ca";
    /// The session was discarded, because something in it ended every connection.
    SessionDiscarded = "session-discarded", "ebd5b305f8304520bdf42168ddfad5c9";
    /// A message for a durable subscription was lost.
    InboxLost = "inbox-lost", "801e001bc48446859a123c880c3b829a";
    /// A subscriber was disconnected because it did not read.
    ReaderCut = "reader-cut", "7c5565c56a05462483293630c81a34b0";
    /// No access rule allows a durable subscription any more.
    SubscriptionSuspended = "subscription-suspended", "ccf99f052b604a70b4aa18fe8db2a0bf";
    /// An access rule allows a durable subscription again.
    SubscriptionResumed = "subscription-resumed", "a90870d708a24e5c866ca8e7325452fc";
    /// AWS refuses a subscription.
    FilterRefused = "filter-refused", "7f351ff8579449f1b9c65eb56ffa5393";
    // The loopback listener
    /// A caller of the loopback listener has sent a wrong token.
    AccessStranger = "access-stranger", "8a026aa5772b4019be762a93bab023e5";
    /// A caller of the loopback listener has addressed another host.
    AccessWrongHost = "access-wrong-host", "ee60c37be17b48b9be8d3b9126baf664";
    /// An access rule names a subordinate ID, which another user can take.
    AccessSubordinateId = "access-subordinate-id", "d8c2e0f855394d30b82d189ab970fdac";
    /// An access rule names an account that does not exist.
    AccessRuleForNobody = "access-rule-for-nobody", "59de2d93bc8149478a2f60655d19f8c8";
    /// The loopback listener has no address yet.
    LoopbackWaiting = "loopback-waiting", "fdad777cb3154339ba280194f5d4fb19";
    /// The loopback listener listens.
    LoopbackListening = "loopback-listening", "e42003ae85964e469f537aa26dc2d4a3";
    /// systemd does not store the loopback listener or its tokens.
    LoopbackNotKept = "loopback-not-kept", "a77ba8bd34e44186a0a7d3555606195a";
    /// A token file was not written.
    LoopbackTokenFile = "loopback-token-file", "85e08586ebfa41bc8c0526758f30c846";
    /// A credentials file is not written yet, or has no valid credentials.
    CredentialsFilesWaiting = "credentials-files-waiting", "7c814453811d4c1b9e37914126234ebb";
    /// All credentials files hold valid credentials.
    CredentialsFilesWritten = "credentials-files-written", "5dc0e76b438c4ee68873a9aac122015f";
    /// A credentials file cannot be written.
    CredentialsFileProblem = "credentials-file-problem", "d219aa747d914d96af83ab989e37c98a";
    /// Connections of programs are not accepted.
    AcceptFailing = "accept-failing", "fb4dcea511304e96890b19823a5d2ac8";
    /// Connections of programs are accepted again.
    AcceptWorks = "accept-works", "4d5e0ab2a6b84d0f9fb6a2c3c1f0ce57";
    /// The kernel does not identify a caller.
    CallerUnknown = "caller-unknown", "48967e4db86a43f091b957c7fdbec1b8";
}

/// Logs a line about an [`Event`] at a [`log::Level`], with further journal fields in the syntax of `log`:
/// `journal!(Level::Info, Event::Start; "gatepostd starts")`.
macro_rules! journal {
    ($level:expr, $event:expr $(, $field:ident = $value:expr)* ; $($message:tt)+) => {{
        let event: $crate::event::Event = $event;
        log::log!(
            $level, GATEPOST_EVENT = event.name(), MESSAGE_ID = event.id() $(, $field = $value)*; $($message)+
        );
    }};
}

pub(crate) use journal;
