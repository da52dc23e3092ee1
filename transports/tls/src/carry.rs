//! Frames on an authenticated stream: a length of four bytes, big-endian, and the message.

use std::future::pending;
use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes, BytesMut};
use peer_exchange::contract;
use peer_exchange::driver::{Inbox, LinkEnd, Outbox};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::{sleep, timeout};
use tokio_util::codec::{Decoder, LengthDelimitedCodec};

/// What the other end of a link has to do for the link to be kept.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Patience {
    /// A message has to be taken within this time. Else the link is broken: what the other end does
    /// not read is memory here.
    pub unread: Duration,
    /// Within this time more than one message has to come, which is the greeting. Else the link is
    /// closed: it is in the place of another. `None`, for links that this end has opened: whatever comes.
    pub greeting: Option<Duration>,
}

impl Patience {
    /// For links that this end has opened.
    #[must_use]
    pub const fn opened(unread: Duration) -> Self {
        Self {
            unread,
            greeting: None,
        }
    }

    /// For links that the other end has opened.
    #[must_use]
    pub const fn accepted(unread: Duration, greeting: Duration) -> Self {
        Self {
            unread,
            greeting: Some(greeting),
        }
    }

    /// Resolves when nothing but a greeting has come for too long.
    async fn ends(&self, inbox: &Inbox) {
        if let Some(after) = self.greeting {
            sleep(after).await;
            if inbox.delivered() <= 1 {
                return;
            }
        }
        pending().await
    }
}

/// The other end has this long to read what was sent last, and to close.
const LINGER: Duration = Duration::from_secs(2);
/// A read buffer larger than this is not kept while nothing arrives.
const IDLE_BUFFER: usize = 1024;

/// Carries messages between the driver and a stream, until either ends it. Afterwards the stream
/// can be dropped.
///
/// A frame's declared length is reserved, at most 64 KiB: this end is authenticated (R23).
pub async fn carry<R, W>(
    reader: R,
    writer: W,
    inbox: Inbox,
    outbox: Outbox,
    patience: Patience,
) -> LinkEnd
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    carry_beside(reader, writer, inbox, outbox, patience, |_| false).await
}

/// The same, but for those messages of which `elsewhere` says that it has sent them.
pub async fn carry_beside<R, W>(
    mut reader: R,
    mut writer: W,
    inbox: Inbox,
    mut outbox: Outbox,
    patience: Patience,
    elsewhere: impl Fn(&Bytes) -> bool,
) -> LinkEnd
where
    R: AsyncRead + Unpin,
    W: AsyncWrite + Unpin,
{
    let first = {
        let reading = read(&mut reader, &inbox);
        let writing = write(&mut writer, &mut outbox, patience.unread, elsewhere);
        // Neither future is dropped before the stream is given up: no frame is torn.
        tokio::pin!(reading, writing);
        tokio::select! {
            () = patience.ends(&inbox) => Stop::Asked,
            outcome = &mut writing => match outcome {
                Ok(()) => Stop::Asked,
                Err(_) => Stop::Broken,
            },
            outcome = &mut reading => match outcome {
                Ok(Read::End) => Stop::Ended,
                Err(_) => Stop::Broken,
                // The driver stops, and has queued its goodbye.
                Ok(Read::NoMore) => match writing.await {
                    Ok(()) => Stop::Asked,
                    Err(_) => Stop::Broken,
                },
            },
        }
    };
    match first {
        Stop::Broken => return LinkEnd::Broken,
        Stop::Ended => {
            let _ = timeout(LINGER, writer.shutdown()).await;
        }
        Stop::Asked => wind_up(&mut reader, &mut writer).await,
    }
    LinkEnd::Orderly
}

enum Stop {
    Asked,
    Ended,
    Broken,
}

/// Closes this direction and reads on until the other end has closed its own: to close with
/// unread bytes would reset a TCP connection, and the goodbye with it.
pub async fn wind_up(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
) {
    let linger = async {
        writer.shutdown().await?;
        let mut rest = [0; 512];
        while reader.read(&mut rest).await? > 0 {}
        io::Result::Ok(())
    };
    // However it ends, it has ended.
    let _ = timeout(LINGER, linger).await;
}

async fn write(
    writer: &mut (impl AsyncWrite + Unpin),
    outbox: &mut Outbox,
    unread: Duration,
    elsewhere: impl Fn(&Bytes) -> bool,
) -> io::Result<()> {
    while let Some(message) = outbox.next().await {
        if elsewhere(&message) {
            continue;
        }
        let write = async {
            let length = Bytes::copy_from_slice(&(message.len() as u32).to_be_bytes());
            // One vectored write where the stream can.
            writer.write_all_buf(&mut length.chain(message)).await?;
            writer.flush().await
        };
        timeout(unread, write).await??;
    }
    Ok(())
}

enum Read {
    End,
    /// The driver takes no more.
    NoMore,
}

async fn read(reader: &mut (impl AsyncRead + Unpin), inbox: &Inbox) -> io::Result<Read> {
    let mut codec = LengthDelimitedCodec::builder()
        .length_field_length(4)
        .max_frame_length(contract::MESSAGE_BYTES)
        .new_codec();
    let mut buffer = BytesMut::new();
    loop {
        while let Some(frame) = codec.decode(&mut buffer)? {
            if !inbox.deliver(frame.freeze()).await {
                return Ok(Read::NoMore);
            }
        }
        if buffer.is_empty() && buffer.capacity() > IDLE_BUFFER {
            buffer = BytesMut::new();
        }
        if reader.read_buf(&mut buffer).await? == 0 {
            // In the middle of a frame it is an error.
            return match codec.decode_eof(&mut buffer)? {
                None => Ok(Read::End),
                Some(_) => Err(io::ErrorKind::UnexpectedEof.into()),
            };
        }
    }
}
