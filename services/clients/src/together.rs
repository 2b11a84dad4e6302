//! Running futures at once that must begin in their order: commands are decided in the order in which they arrive.

use std::{
    future::poll_fn,
    pin::{Pin, pin},
    task::Poll,
};

use futures_util::future::{MaybeDone, maybe_done};

/// Begins each future before the next, then waits for all; answers in their order.
pub(crate) async fn together<F: Future>(futures: Vec<F>) -> Vec<F::Output> {
    let mut running: Vec<Pin<Box<MaybeDone<F>>>> = Vec::with_capacity(futures.len());
    for future in futures {
        let mut future = Box::pin(maybe_done(future));
        // What it does before it first waits is to take its place in the queue.
        poll_fn(|context| {
            let _ = future.as_mut().poll(context);
            Poll::Ready(())
        })
        .await;
        running.push(future);
    }
    let mut outputs = Vec::with_capacity(running.len());
    for mut future in running {
        pin!(future.as_mut()).await;
        outputs.extend(future.as_mut().take_output());
    }
    outputs
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn each_begins_before_the_next_and_all_wait_at_once() {
        let begun = Mutex::new(Vec::new());
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..50).map(|_| oneshot::channel::<usize>()).unzip();
        let futures = receivers.into_iter().enumerate().map(|(index, receiver)| {
            let begun = &begun;
            async move {
                begun.lock().unwrap().push(index);
                receiver.await.unwrap()
            }
        });
        let answering = async {
            for (index, sender) in senders.into_iter().enumerate().rev() {
                sender.send(index).unwrap();
            }
        };
        let (answers, ()) = tokio::join!(together(futures.collect()), answering);
        assert_eq!(answers, (0..50).collect::<Vec<_>>());
        assert_eq!(*begun.lock().unwrap(), (0..50).collect::<Vec<_>>());
    }
}
