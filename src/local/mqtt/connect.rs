//! Handles CONNECT: identifies the client and decides whether it may connect.

use std::rc::Rc;

use super::deliver::Deliveries;
use super::filters::ClientFilters;
use super::identity::Identity;
use super::mailbox::Mailbox;
use super::options::options_of;
use super::principal::Principal;
use super::publish::Publisher;
use super::refusal::Refusal;
use super::registry::{ClientKey, DisconnectedSession, session_name};
use super::session::Session;
use super::stored::StoredMessages;
use super::subscribe::ClientSubscriptions;
use super::will::check_will;
use crate::local::access::Permission;
use crate::local::caller::Caller;
use crate::local::context::ApiContext;
use crate::local::limits::Origin;
use crate::local::listeners::ConnectionSlot;
use crate::messages::{self, SessionRequest};
use crate::mqtt::packet::Connect;
use crate::mqtt::{Acceptance, Property, ProtocolVersion, ReasonCode, ServerOptions};
use crate::topic;

/// AWS IoT accepts client identifiers of at most 128 bytes.
const MAX_CLIENT_ID: usize = 128;

/// Decides about the CONNECT of a connection.
pub(super) struct Handshake<'a> {
    pub(super) context: &'a Rc<ApiContext>,
    pub(super) identity: &'a Identity,
    pub(super) slot: &'a ConnectionSlot,
    pub(super) mailbox: &'a Rc<Mailbox>,
}

impl Handshake<'_> {
    /// Returns the session of a client that may connect.
    ///
    /// # Errors
    /// If it may not, or not now.
    pub(super) async fn accept(&self, connect: &Connect) -> Result<(Session, Acceptance), Refusal> {
        let caller = self.authenticate(connect)?;
        check_client_id(&connect.client_id)?;
        let context = self.context;
        if !context.access.borrow().has_rule_for(&caller) {
            // The error names the missing rule, and the journal gets the decision.
            let topic = context.thing_name.known().unwrap_or_else(|| topic::THING.to_owned()) + "/#";
            context.authorize(&caller, Permission::Publish(&topic), "")?;
        }
        let thing = context.thing_name.get().await.ok_or_else(|| {
            let words = "this gateway's thing name is not known yet; gatepost status says what it waits for";
            Refusal::new(ReasonCode::SERVER_UNAVAILABLE, words)
        })?;
        if let Some(will) = &connect.will {
            check_will(context, &caller, will, &thing)?;
        }
        let assigned = connect.client_id.is_empty().then(assign_client_id);
        let client_id = assigned.clone().unwrap_or_else(|| connect.client_id.clone());
        let key = Rc::new(ClientKey {
            account: caller.message_account(),
            client_id,
        });
        let name: Rc<str> = describe(&self.identity_of(&caller), &key.client_id).into();
        context.mqtt.registry.connect(&key, self.mailbox, !connect.clean_start);
        context.mqtt.registry.end_will(&key, connect.clean_start);
        let opened = context
            .inbox
            .open_session(self.session_request(&caller, &key, connect))
            .await;
        let opened = opened.map_err(|error| {
            context.mqtt.registry.disconnect(&key, self.mailbox);
            let refusal = Refusal::from(error);
            match refusal.code {
                ReasonCode::UNSPECIFIED_ERROR => Refusal::new(ReasonCode::SERVER_UNAVAILABLE, refusal.words),
                _ => refusal,
            }
        })?;
        if self.mailbox.taken_over().is_some() {
            return Err(Refusal::new(
                ReasonCode::SERVER_BUSY,
                "the same client has connected again",
            ));
        }
        let DisconnectedSession { sent, own } = context.mqtt.registry.begin_session(&key, opened.is_present);
        let reader: Rc<str> = caller.account().into();
        let (weak_context, permitted, own_thing) = (Rc::downgrade(context), caller.clone(), thing.clone());
        let is_allowed = move |topic: &str| {
            weak_context.upgrade().is_some_and(|context| {
                let thing = context.thing_name.known().unwrap_or_else(|| own_thing.clone());
                let access = context.access.borrow();
                access
                    .find_rule(&permitted, Permission::Subscribe(topic), &thing)
                    .is_some()
            })
        };
        let inbox = context.inbox.open_client(messages::Client {
            reader: reader.clone(),
            name: name.clone(),
            durable_name: opened.is_durable.then(|| session_name(&key)),
            signal: self.mailbox.signal.clone(),
            is_allowed: Box::new(is_allowed),
        });
        let mut filters = ClientFilters {
            own,
            ..ClientFilters::default()
        };
        for filter in &opened.filters {
            context.inbox.restore_client_filter(&inbox, filter);
            let (name, options) = (filter.filter.clone(), options_of(filter));
            filters.subscriptions.insert(name, options, filter.identifier);
        }
        // A client that is already connected keeps its slot.
        self.slot.mark_busy().keep();
        let session = Session {
            principal: Principal {
                context: context.clone(),
                reader,
                caller,
                key,
                name,
                connected_thing: thing,
            },
            publisher: Publisher::new(self.mailbox.clone()),
            subscriptions: ClientSubscriptions::new(inbox, filters),
            deliveries: Deliveries::new(StoredMessages::new(sent, opened.last)),
            pause: None,
        };
        let acceptance = Acceptance {
            session_present: opened.is_present,
            assigned_client_id: assigned.filter(|_| connect.version == ProtocolVersion::V5),
            ..Acceptance::default()
        };
        Ok((session, acceptance))
    }

    fn session_request(&self, caller: &Caller, key: &ClientKey, connect: &Connect) -> SessionRequest {
        let access = self.context.access.borrow();
        SessionRequest {
            name: session_name(key),
            owner: caller.owner(access.is_selected_by_unit(caller)),
            accounts: access.accounts().clone(),
            client_id: key.client_id.clone(),
            clean_start: connect.clean_start,
            expiry: requested_expiry(connect).min(ServerOptions::default().session_expiry_maximum),
        }
    }

    /// Returns the client's identity.
    fn authenticate(&self, connect: &Connect) -> Result<Caller, Refusal> {
        if let Identity::Peer(caller) = self.identity {
            return Ok(caller.clone());
        }
        let refuse = |words: &str| Refusal::new(ReasonCode::BAD_USER_NAME_OR_PASSWORD, words);
        let Some(password) = &connect.password else {
            return Err(refuse(
                "CONNECT has no password: it must be the token of an access rule",
            ));
        };
        let context = self.context;
        let Some(holder) = context.mqtt.holder_of(&password.expose(), &context.loopback) else {
            context.audit.log_unknown_token();
            return Err(refuse("the password is none of the tokens that gatepost accepts"));
        };
        let caller = Caller::Bearer(holder);
        if self.slot.move_to(Origin::Bearer(caller.account().into())).is_err() {
            return Err(Refusal::new(
                ReasonCode::QUOTA_EXCEEDED,
                format!("{caller} has as many MQTT connections as one account may have"),
            ));
        }
        Ok(caller)
    }

    fn identity_of(&self, caller: &Caller) -> Identity {
        match self.identity {
            Identity::Peer(_) => self.identity.clone(),
            Identity::Password(_) => Identity::Peer(caller.clone()),
        }
    }
}

/// Returns how many seconds the client wants its session to outlive the connection.
fn requested_expiry(connect: &Connect) -> u32 {
    if connect.version == ProtocolVersion::V3_1_1 {
        // A session of MQTT 3.1.1 never expires unless it is clean (MQTT-3.1.2-6).
        return if connect.clean_start { 0 } else { u32::MAX };
    }
    let expiry = connect.properties.iter().find_map(|property| match property {
        Property::SessionExpiryInterval(seconds) => Some(*seconds),
        _ => None,
    });
    expiry.unwrap_or(0)
}

/// Refuses a client identifier that AWS IoT would not accept, or that contains unprintable characters.
fn check_client_id(client_id: &str) -> Result<(), Refusal> {
    let words = if client_id.len() > MAX_CLIENT_ID {
        format!(
            "the client identifier has {} bytes, more than {MAX_CLIENT_ID}",
            client_id.len()
        )
    } else if let Some(character) = topic::not_allowed(client_id) {
        format!("the client identifier has the character {character}")
    } else {
        return Ok(());
    };
    Err(Refusal::new(ReasonCode::CLIENT_ID_NOT_VALID, words))
}

fn assign_client_id() -> String {
    format!("gatepost-{:016x}", fastrand::u64(..))
}

/// Names a client in messages.
pub(super) fn describe(identity: &Identity, client_id: &str) -> String {
    match client_id.get(..MAX_CLIENT_ID).unwrap_or(client_id) {
        "" => identity.to_string(),
        shown => format!("{identity}, client ID {}", shown.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn client_identifiers_that_aws_would_not_take_are_refused() {
        let longest = "ä".repeat(64);
        let too_long = "c".repeat(129);
        for (client_id, is_accepted) in [
            ("", true),
            ("zigbee2mqtt", true),
            ("a/b +#", true),
            (longest.as_str(), true),
            (too_long.as_str(), false),
            ("a\nb", false),
            ("a\u{85}", false),
            ("\u{fdd0}", false),
        ] {
            assert_eq!(check_client_id(client_id).is_ok(), is_accepted, "{client_id:?}");
        }
        assert_ne!(assign_client_id(), assign_client_id());
    }
}
