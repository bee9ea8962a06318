//! A program that speaks MQTT 3.1.1 on a Unix socket, to gatepost or Mosquitto.

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::publishers::{PAYLOAD, Publish};

/// Time limit for one answer of a server.
const PATIENCE: Duration = Duration::from_secs(30);
/// Maximum number of unacknowledged messages of a program that does not wait for each. AWS accepts 100.
const WINDOW: usize = 100;

/// Whether the server keeps subscriptions and messages while the client is away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Session {
    /// Nothing is kept.
    Clean,
    /// Subscriptions and messages are kept.
    Persistent,
}

/// A connected program.
#[derive(Debug)]
pub struct MqttClient {
    stream: UnixStream,
}

impl MqttClient {
    /// Connects.
    ///
    /// # Errors
    /// If the server does not accept it.
    pub fn connect(socket: &Path, client_id: &str, session: Session) -> Result<Self> {
        let mut stream = UnixStream::connect(socket)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let flags = match session {
            Session::Clean => 2,
            Session::Persistent => 0,
        };
        // 3.1: protocol level 4, flags, keep-alive off.
        let mut body = text("MQTT");
        body.extend([4, flags, 0, 0]);
        body.extend(text(client_id));
        stream.write_all(&packet(0x10, &body))?;
        let mut client = Self { stream };
        client.expect([0x20, 2, 0, 0])?;
        Ok(client)
    }

    /// Subscribes to everything at QoS 1, and disconnects.
    ///
    /// # Errors
    /// If the server refuses it.
    pub fn subscribe_and_leave(mut self) -> Result<()> {
        self.subscribe("#", 1)?;
        self.stream.write_all(&[0xe0, 0])?;
        Ok(())
    }

    /// Subscribes to a filter.
    ///
    /// # Errors
    /// If the server refuses it.
    pub fn subscribe(&mut self, filter: &str, qos: u8) -> Result<()> {
        let mut body = vec![0, 1];
        body.extend(text(filter));
        body.push(qos);
        self.stream.write_all(&packet(0x82, &body))?;
        self.expect([0x90, 3, 0, 1])
    }

    /// Receives so many messages, and acknowledges those at QoS 1.
    ///
    /// # Errors
    /// If another packet comes, or none in time.
    pub fn receive(&mut self, messages: usize) -> Result<()> {
        let (mut unread, mut buffer, mut received) = (Vec::new(), vec![0; 64 * 1024], 0);
        while received < messages {
            let length = self.stream.read(&mut buffer)?;
            ensure!(length > 0, "the server has closed the connection");
            unread.extend(buffer.iter().take(length));
            let (mut rest, mut answers) = (unread.as_slice(), Vec::new());
            while let Some((first, body, after)) = split_packet(rest) {
                ensure!(first & 0xf0 == 0x30, "the server sends a packet of type {first:02x}");
                if first & 0x06 != 0 {
                    answers.extend([0x40, 2]);
                    answers.extend(packet_id(body).context("a message without a packet identifier")?);
                }
                received += 1;
                rest = after;
            }
            let read = unread.len() - rest.len();
            unread.drain(..read);
            self.stream.write_all(&answers)?;
        }
        Ok(())
    }

    /// Publishes at QoS 1 on `topic`, one message after the other.
    #[must_use]
    pub fn publisher(mut self, topic: &str) -> Publish<'static> {
        // 3.3: the packet identifier may be the same each time, because the answer has already arrived.
        let publish = publish(topic, Some(1));
        Box::new(move || {
            self.stream.write_all(&publish)?;
            self.expect([0x40, 2, 0, 1])
        })
    }

    /// Publishes this number of messages at QoS 1 without waiting for each; returns the time until all were acknowledged.
    ///
    /// # Errors
    /// If one is not acknowledged.
    pub fn publish_in_a_window(&mut self, topic: &str, messages: usize) -> Result<Duration> {
        let began = Instant::now();
        let (mut sent, mut acknowledged) = (0, 0);
        while acknowledged < messages {
            while sent < messages && sent - acknowledged < WINDOW {
                let packet_id = u16::try_from(sent % WINDOW + 1)?;
                self.stream.write_all(&publish(topic, Some(packet_id)))?;
                sent += 1;
            }
            let mut answer = [0; 4];
            self.stream.read_exact(&mut answer)?;
            ensure!(answer.starts_with(&[0x40, 2]), "the server answers {answer:02x?}");
            acknowledged += 1;
        }
        Ok(began.elapsed())
    }

    /// Publishes this number of messages at QoS 0; returns the time until the server has read the last one.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn publish_at_qos_0(&mut self, topic: &str, messages: usize) -> Result<Duration> {
        let publish = publish(topic, None);
        let began = Instant::now();
        for _ in 0..messages {
            self.stream.write_all(&publish)?;
        }
        self.ping()?;
        Ok(began.elapsed())
    }

    /// Waits until the server has read everything.
    ///
    /// # Errors
    /// If the connection breaks.
    pub fn ping(&mut self) -> Result<()> {
        self.stream.write_all(&[0xc0, 0])?;
        let mut answer = [0; 2];
        self.stream.read_exact(&mut answer)?;
        ensure!(answer == [0xd0, 0], "the server answers PINGREQ with {answer:02x?}");
        Ok(())
    }

    fn expect(&mut self, expected: [u8; 4]) -> Result<()> {
        let mut answer = [0; 4];
        self.stream.read_exact(&mut answer)?;
        // SUBACK is one byte longer.
        if answer[0] == 0x90 {
            let mut granted = [0];
            self.stream.read_exact(&mut granted)?;
        }
        ensure!(answer == expected, "the server answers {answer:02x?}");
        Ok(())
    }
}

/// Returns a PUBLISH packet, at QoS 1 if there is a packet identifier.
fn publish(topic: &str, packet_id: Option<u16>) -> Vec<u8> {
    let mut body = text(topic);
    body.extend(packet_id.map(u16::to_be_bytes).into_iter().flatten());
    body.extend([b'x'; PAYLOAD]);
    packet(if packet_id.is_some() { 0x32 } else { 0x30 }, &body)
}

/// Encodes a UTF-8 string with its length (1.5.3).
fn text(text: &str) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    [&length.to_be_bytes(), text.as_bytes()].concat()
}

/// Returns a packet with its remaining length (2.2.3), which takes at most two bytes here.
fn packet(first: u8, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let mut packet = vec![first];
    if length >= 128 {
        packet.push(u8::try_from(length % 128).unwrap_or(0) | 0x80);
    }
    packet.push(u8::try_from(if length >= 128 { length / 128 } else { length }).unwrap_or(0));
    packet.extend(body);
    packet
}

/// The first byte of a packet, what follows its length, and what follows the packet; `None` until it is whole.
fn split_packet(bytes: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (first, mut rest) = bytes.split_first()?;
    let (mut length, mut shift) = (0, 0);
    loop {
        let (byte, after) = rest.split_first()?;
        length |= usize::from(byte & 0x7f) << shift;
        (rest, shift) = (after, shift + 7);
        if *byte < 0x80 {
            break;
        }
    }
    let (body, after) = rest.split_at_checked(length)?;
    Some((*first, body, after))
}

/// The packet identifier of a message at QoS 1 (3.3.2): it is behind the topic.
fn packet_id(body: &[u8]) -> Option<[u8; 2]> {
    let (length, rest) = body.split_first_chunk()?;
    let (_topic, rest) = rest.split_at_checked(u16::from_be_bytes(*length).into())?;
    rest.first_chunk().copied()
}
