//! gRPC's framing: one byte of compression, four of length, the message. The edge checks frames and passes the bytes on as they came.

use bytes::{Buf as _, Bytes, BytesMut};
use http_body::Body;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use shouwen_access::Failure;
use tower::BoxError;

use super::refusal;

const HEADER: usize = 5;

/// The one message of a request that is not a stream.
#[derive(Clone, Debug)]
pub(super) struct Framed {
    /// With its frame, as it came.
    pub(super) bytes: Bytes,
}

impl Framed {
    /// Reads a whole body, which must hold exactly one uncompressed message.
    pub(super) async fn read<B>(body: B, max_message_bytes: usize) -> Result<Self, Failure>
    where
        B: Body<Data = Bytes>,
        B::Error: Into<BoxError>,
    {
        let bytes = match Limited::new(body, max_message_bytes.saturating_add(HEADER)).collect().await {
            Ok(collected) => collected.to_bytes(),
            Err(error) if error.is::<LengthLimitError>() => {
                return Err(Failure::message_too_large(max_message_bytes));
            }
            Err(_) => return Err(refusal::interrupted()),
        };
        match header(&bytes)? {
            Some(length) if bytes.len() == HEADER + length => Ok(Self { bytes }),
            _ => Err(Failure::message_malformed()),
        }
    }

    /// Frames a message that was stored without its frame.
    pub(super) fn of_message(message: &[u8]) -> Self {
        let length = u32::try_from(message.len()).unwrap_or(u32::MAX).to_be_bytes();
        Self { bytes: [&[0], &length[..], message].concat().into() }
    }

    pub(super) fn message(&self) -> Bytes {
        self.bytes.slice(HEADER..)
    }
}

/// The beginning of a stream, up to the end of its first message or more.
pub(super) struct Opening {
    /// Everything that was read.
    pub(super) bytes: Bytes,
    /// The first message; empty where the stream ended before one.
    pub(super) message: Bytes,
}

impl Opening {
    /// Reads until the first message is complete.
    pub(super) async fn read<B>(body: &mut B, max_message_bytes: usize) -> Result<Self, Failure>
    where
        B: Body<Data = Bytes> + Unpin,
        B::Error: Into<BoxError>,
    {
        let mut read = BytesMut::new();
        loop {
            if let Some(length) = header(&read)? {
                if length > max_message_bytes {
                    return Err(Failure::message_too_large(max_message_bytes));
                }
                if read.len() >= HEADER + length {
                    let bytes = read.freeze();
                    let message = bytes.slice(HEADER..HEADER + length);
                    return Ok(Self { bytes, message });
                }
            }
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Ok(data) = frame.into_data() {
                        read.extend_from_slice(&data);
                    }
                }
                Some(Err(_)) => return Err(refusal::interrupted()),
                None if read.is_empty() => return Ok(Self { bytes: Bytes::new(), message: Bytes::new() }),
                None => return Err(Failure::message_malformed()),
            }
        }
    }
}

/// The length of the message at the beginning of `bytes`; `None` if the frame's header is not complete.
fn header(bytes: &[u8]) -> Result<Option<usize>, Failure> {
    let Some((mut header, _)) = bytes.split_at_checked(HEADER) else { return Ok(None) };
    match header.get_u8() {
        0 => Ok(Some(usize::try_from(header.get_u32()).unwrap_or(usize::MAX))),
        1 => Err(refusal::compression_unsupported()),
        _ => Err(Failure::message_malformed()),
    }
}

/// Follows the frames in passing chunks, so that no message grows beyond the limit.
pub(super) struct FrameMeter {
    limit: usize,
    compressed: bool,
    header: [u8; HEADER],
    filled: usize,
    remaining: usize,
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breach {
    TooLarge,
    Compressed,
}

impl FrameMeter {
    /// For a caller's messages: uncompressed ones only.
    pub(super) fn requests(limit: usize) -> Self {
        Self { limit, compressed: false, header: [0; HEADER], filled: 0, remaining: 0 }
    }

    /// For a backend's messages, which may be compressed if the caller said so.
    pub(super) fn answers(limit: usize) -> Self {
        Self { compressed: true, ..Self::requests(limit) }
    }

    pub(super) fn pass(&mut self, mut chunk: &[u8]) -> Result<(), Breach> {
        while !chunk.is_empty() {
            let within = self.remaining.min(chunk.len());
            chunk.advance(within);
            self.remaining -= within;
            let part = (HEADER - self.filled).min(chunk.len());
            self.header[self.filled..self.filled + part].copy_from_slice(&chunk[..part]);
            chunk.advance(part);
            self.filled += part;
            if self.filled == HEADER {
                self.filled = 0;
                let mut header = &self.header[..];
                if header.get_u8() != 0 && !self.compressed {
                    return Err(Breach::Compressed);
                }
                self.remaining = usize::try_from(header.get_u32()).unwrap_or(usize::MAX);
                if self.remaining > self.limit {
                    return Err(Breach::TooLarge);
                }
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::Full;

    use super::*;

    #[test]
    fn frames_are_followed_however_the_chunks_are_cut() {
        let stream: Vec<u8> =
            [&b"abc"[..], b"", b"defgh"].into_iter().flat_map(|it| Framed::of_message(it).bytes).collect();
        for size in 1..=stream.len() {
            let mut meter = FrameMeter::requests(5);
            assert!(stream.chunks(size).all(|chunk| meter.pass(chunk).is_ok()), "{size}");
            let mut small = FrameMeter::requests(4);
            assert!(stream.chunks(size).any(|chunk| small.pass(chunk) == Err(Breach::TooLarge)), "{size}");
        }
    }

    #[test]
    fn only_answers_may_be_compressed() {
        let frame = [1, 0, 0, 0, 1, b'x'];
        assert_eq!(FrameMeter::requests(9).pass(&frame), Err(Breach::Compressed));
        assert_eq!(FrameMeter::answers(9).pass(&frame), Ok(()));
    }

    #[tokio::test]
    async fn a_stream_is_read_up_to_its_first_message() {
        let two = [Framed::of_message(b"one").bytes, Framed::of_message(b"two").bytes].concat();
        let opening = Opening::read(&mut Full::new(Bytes::from(two.clone())), 3).await.unwrap();
        assert_eq!((&opening.message[..], &opening.bytes[..]), (&b"one"[..], &two[..]));
        let nothing = Opening::read(&mut Full::new(Bytes::new()), 3).await.unwrap();
        assert!(nothing.message.is_empty());
        for (bytes, reason) in [(&two[..7], "MESSAGE_MALFORMED"), (&[0, 0, 0, 0, 4], "MESSAGE_TOO_LARGE")] {
            let refused = Opening::read(&mut Full::new(Bytes::copy_from_slice(bytes)), 3).await;
            assert_eq!(refused.err().unwrap().reason(), reason);
        }
    }
}
