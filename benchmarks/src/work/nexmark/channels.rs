//! Where a bid comes from: a channel and its address, of which there are ten thousand and four.
//!
//! They are made once. The standard generator keeps them as well.

use std::hint::select_unpredictable;
use std::sync::LazyLock;

use super::random::Random;

/// Of so many choices all but one are hot.
const HOT_CHANNELS: i64 = 2;
const HOT: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
const OTHERS: i64 = 10_000;

/// The hot ones first.
static CHANNELS: LazyLock<Vec<(&str, &str)>> = LazyLock::new(|| {
    let hot = HOT.iter().zip(0..).map(|(name, number)| ((*name).to_owned(), address(&mut Random::of(!number))));
    let others = (0..OTHERS).map(|channel| {
        let mut random = Random::of(!(HOT.len() as u64 + channel as u64));
        let mut url = address(&mut random);
        if random.below(10) > 0 {
            let id = (channel as i32).reverse_bits().wrapping_abs();
            url.push_str(&format!("&channel_id={id}"));
        }
        (format!("channel-{channel}"), url)
    });
    let texts = |(name, url): (String, String)| -> (&str, &str) { (name.leak(), url.leak()) };
    hot.chain(others).map(texts).collect()
});

fn address(random: &mut Random) -> String {
    let [a, b, c] = [0; 3].map(|_| random.letters(4));
    format!("https://www.nexmark.com/{a}/{b}/{c}/item.htm?query=1")
}

/// One of them, with its address.
#[inline]
pub(super) fn some_channel(random: &mut Random) -> (&'static str, &'static str) {
    let hot = HOT.len() as i64;
    let (first, channels) = select_unpredictable(random.below(HOT_CHANNELS) > 0, (0, hot), (hot, OTHERS));
    CHANNELS[(first + random.below(channels)) as usize]
}
