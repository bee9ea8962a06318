//! Detects steps of the wall clock.

use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

/// Time until the timer fires, in seconds. It is meant to be cancelled; if it fires, it is armed again.
const FAR_AHEAD: i64 = 10 * 365 * 24 * 3600;

/// A timer that the kernel cancels at each discontinuous change of the wall clock, including a resume from suspend
/// (timerfd_create(2), TFD_TIMER_CANCEL_ON_SET). It causes no wake-ups.
#[derive(Debug)]
pub struct Steps {
    timer: AsyncFd<OwnedFd>,
}

impl Steps {
    /// Creates the timer. Requires a tokio runtime with I/O enabled.
    ///
    /// # Errors
    /// When the kernel does not provide a timer.
    #[expect(
        deprecated,
        reason = "its replacement is unsafe; the hazard is a descriptor that changes, ours is owned"
    )]
    pub fn listen() -> io::Result<Self> {
        let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        arm(&timer)?;
        Ok(Self {
            timer: AsyncFd::new(timer)?,
        })
    }

    /// Waits for the next step. The timer is armed again before this returns, so that no later step is missed.
    ///
    /// # Errors
    /// When the timer fails in a way other than being cancelled.
    pub async fn next(&mut self) -> io::Result<()> {
        loop {
            let mut ready = self.timer.readable().await?;
            let mut count = [0_u8; 8];
            let outcome = rustix::io::read(self.timer.get_ref(), &mut count);
            ready.clear_ready();
            match outcome {
                Err(Errno::CANCELED) => {
                    arm(self.timer.get_ref())?;
                    return Ok(());
                }
                Err(Errno::AGAIN | Errno::INTR) => {}
                Ok(_) => arm(self.timer.get_ref())?,
                Err(error) => return Err(error.into()),
            }
        }
    }
}

fn arm(timer: &OwnedFd) -> io::Result<()> {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let once = Timespec { tv_sec: 0, tv_nsec: 0 };
    let at = Timespec {
        tv_sec: now.tv_sec.saturating_add(FAR_AHEAD),
        tv_nsec: 0,
    };
    let flags = TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET;
    match timerfd_settime(
        timer,
        flags,
        &Itimerspec {
            it_interval: once,
            it_value: at,
        },
    ) {
        // The clock was set in the meantime. The timer is armed nevertheless (Linux, fs/timerfd.c).
        Ok(_) | Err(Errno::CANCELED) => Ok(()),
        Err(error) => Err(error.into()),
    }
}
