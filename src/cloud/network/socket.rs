//! The netlink socket on which the kernel reports changes of links, addresses, routes and rules (rtnetlink(7)).

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::net::netlink::SocketAddrNetlink;
use rustix::net::{AddressFamily, RecvFlags, SocketFlags, SocketType, bind, recvfrom, socket_with};
use tokio::io::unix::AsyncFd;

use super::changes::{Changes, News};

/// RTMGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV4_RULE, IPV6_IFADDR, IPV6_ROUTE, and the bit of RTNLGRP_IPV6_RULE, which is group 19
/// (linux/rtnetlink.h).
const GROUPS: u32 = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 1 << 18;
/// Size of the receive buffer. Most messages are shorter than 2 KB; the rest of a longer one is not read.
const BUFFER_SIZE: usize = 8 * 1024;
/// Maximum number of datagrams that are read at once.
const BATCH: usize = 64;

/// A socket that is subscribed to the kernel's reports.
#[derive(Debug)]
pub(super) struct NetlinkSocket {
    socket: AsyncFd<OwnedFd>,
}

impl NetlinkSocket {
    /// Subscribes; needs no privilege, but a sandbox that allows AF_NETLINK, and a tokio runtime with I/O enabled.
    #[expect(
        deprecated,
        reason = "its replacement is unsafe; the hazard is a descriptor that changes, ours is owned"
    )]
    pub(super) fn open() -> io::Result<Self> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, GROUPS))?;
        Ok(Self {
            socket: AsyncFd::new(socket)?,
        })
    }

    /// Returns when a report has arrived. Cancel safe.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.socket.readable().await.map(|mut ready| ready.retain_ready())
    }

    /// Reads a batch of reports, and returns the most significant news in it.
    pub(super) async fn take(&self, changes: &mut Changes) -> io::Result<News> {
        let mut ready = self.socket.readable().await?;
        let mut news = News::Nothing;
        let mut buffer = [0; BUFFER_SIZE];
        for _ in 0..BATCH {
            match recvfrom(self.socket.get_ref(), &mut buffer, RecvFlags::DONTWAIT) {
                Ok((length, _, from)) => {
                    let from_kernel = from
                        .and_then(|from| SocketAddrNetlink::try_from(from).ok())
                        .is_some_and(|from| from.pid() == 0);
                    if from_kernel {
                        news = news.max(changes.take(buffer.get(..length).unwrap_or_default()));
                    }
                }
                Err(Errno::AGAIN) => {
                    ready.clear_ready();
                    break;
                }
                Err(Errno::INTR) => {}
                // The kernel has discarded reports, so anything may have changed.
                Err(Errno::NOBUFS) => news = News::Appeared,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(news)
    }
}
