//! Bodies of answers: bytes that many share, and what is to last as long as the answer is sent.

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// What is handed over at once: a connection that copies its output copies no whole page.
const PIECE: usize = 16 * 1024;

/// A few runs of bytes, one after the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Runs {
    runs: [Bytes; 3],
}

impl Runs {
    pub(super) const fn new(runs: [Bytes; 3]) -> Self {
        Self { runs }
    }

    pub(super) fn len(&self) -> usize {
        self.runs.iter().map(Bytes::len).sum()
    }

    fn next(&mut self) -> Option<Bytes> {
        let run = self.runs.iter_mut().find(|run| !run.is_empty())?;
        Some(run.split_to(run.len().min(PIECE)))
    }
}

impl From<Bytes> for Runs {
    fn from(bytes: Bytes) -> Self {
        Self::new([bytes, Bytes::new(), Bytes::new()])
    }
}

impl Body for Runs {
    type Data = Bytes;
    type Error = std::convert::Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.next().map(|piece| Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.len() == 0
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.len() as u64)
    }
}

/// A body, and what is given back when it has been handed over or is given up.
pub(super) struct Held<B, T> {
    body: B,
    _until_sent: T,
}

impl<B, T> Held<B, T> {
    pub(super) const fn new(body: B, until_sent: T) -> Self {
        Self {
            body,
            _until_sent: until_sent,
        }
    }
}

impl<B: Body + Unpin, T: Unpin> Body for Held<B, T> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_come_in_order_and_in_pieces() {
        let long = Bytes::from(vec![b'x'; PIECE + 1]);
        let mut runs = Runs::new([Bytes::from("a"), Bytes::new(), long]);
        assert_eq!(runs.len(), PIECE + 2);
        let mut pieces = Vec::new();
        while let Some(piece) = runs.next() {
            pieces.push(piece.len());
        }
        assert_eq!(pieces, [1, PIECE, 1]);
        assert!(runs.is_end_stream());
    }
}
