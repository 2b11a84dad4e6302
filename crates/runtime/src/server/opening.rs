//! Whether whoever opened a connection has begun to speak HTTP on it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What HTTP/2 begins with (RFC 9113, 3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Set once the HTTP/2 preface or a request of HTTP/1.1 is there. Clones are the same.
#[derive(Clone, Debug, Default)]
pub(super) struct Begun(Arc<AtomicBool>);

impl Begun {
    pub(super) fn set(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    pub(super) fn is_set(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// A connection whose first bytes are looked at for the preface.
pub(super) struct Opening<I> {
    inner: I,
    /// What of the preface is still to come; nothing once the peer has said something else.
    awaited: &'static [u8],
    begun: Begun,
}

impl<I> Opening<I> {
    pub(super) fn new(inner: I, begun: Begun) -> Self {
        Self { inner, awaited: PREFACE, begun }
    }

    fn look_at(&mut self, bytes: &[u8]) {
        let (now, later) = self.awaited.split_at(bytes.len().min(self.awaited.len()));
        if bytes.starts_with(now) {
            self.awaited = later;
            if later.is_empty() {
                self.begun.set();
            }
        } else {
            self.awaited = &[];
        }
    }
}

impl<I: AsyncRead + Unpin> AsyncRead for Opening<I> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.inner).poll_read(context, buffer))?;
        if !self.awaited.is_empty() {
            self.look_at(&buffer.filled()[before..]);
        }
        Poll::Ready(Ok(()))
    }
}

impl<I: AsyncWrite + Unpin> AsyncWrite for Opening<I> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;

    use super::*;

    async fn has_begun(first: &[u8], second: &[u8]) -> bool {
        let begun = Begun::default();
        let mut opening = Opening::new(first.chain(second), begun.clone());
        opening.read_to_end(&mut Vec::new()).await.unwrap();
        begun.is_set()
    }

    #[tokio::test]
    async fn the_whole_preface_and_nothing_else_begins_http2_however_it_is_cut() {
        assert!(has_begun(PREFACE, b"").await);
        assert!(has_begun(b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r\nand more").await);
        assert!(!has_begun(b"PRI * HTTP/2.0\r\n", b"\r\nSM\r\n\r").await);
        assert!(!has_begun(b"PRI * HTTP/2.0\r\n", b"\r\nSN\r\n\r\n").await);
        assert!(!has_begun(b"GET / HTTP/1.1\r\n", PREFACE).await);
    }
}
