//! Markdown that people wrote, as HTML that is safe to show.

use std::sync::LazyLock;

use ammonia::Builder;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html::push_html};

/// What is left of the HTML: no scripts, styles, frames and forms, no images (they would tell other sites who reads),
/// and links that neither vouch for where they lead nor tell from where one comes.
static CLEAN: LazyLock<Builder<'static>> = LazyLock::new(|| {
    let mut clean = Builder::default();
    clean.rm_tags(["img"]).url_schemes(["https", "http", "mailto"].into()).link_rel(Some("noopener noreferrer nofollow ugc"));
    clean.url_relative(ammonia::UrlRelative::Deny);
    clean
});

/// The level of the page's headings above the text.
const ABOVE: usize = 2;

/// Renders and cleans a text. Its headings stand below those of the page, without a gap wherever the writer began.
#[must_use]
pub fn html(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut used: Vec<HeadingLevel> = Parser::new_ext(text, options)
        .filter_map(|event| match event {
            Event::Start(Tag::Heading { level, .. }) => Some(level),
            _ => None,
        })
        .collect();
    used.sort_unstable();
    used.dedup();
    let mut last = ABOVE;
    let lower = |event| match event {
        Event::Start(Tag::Heading { level, id, classes, attrs }) => {
            let rank = used.iter().position(|one| *one == level).unwrap_or(0);
            last = (ABOVE + 1 + rank).min(last + 1).min(6);
            Event::Start(Tag::Heading { level: numbered(last), id, classes, attrs })
        }
        Event::End(TagEnd::Heading(_)) => Event::End(TagEnd::Heading(numbered(last))),
        other => other,
    };
    let mut raw = String::with_capacity(text.len() * 3 / 2);
    push_html(&mut raw, Parser::new_ext(text, options).map(lower));
    CLEAN.clean(&raw).to_string()
}

fn numbered(level: usize) -> HeadingLevel {
    HeadingLevel::try_from(level).unwrap_or(HeadingLevel::H6)
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn markdown_is_rendered_and_its_headings_stand_below_those_of_the_page() {
        assert_eq!(html("# Title\n\nIt *does*."), "<h3>Title</h3>\n<p>It <em>does</em>.</p>\n");
        assert_eq!(html("### A\n# B\n### C"), "<h3>A</h3>\n<h3>B</h3>\n<h4>C</h4>\n");
        assert!(html("[a](https://docs.example)").contains("rel=\"noopener noreferrer nofollow ugc\""));
        assert!(html("|a|b|\n|-|-|\n|1|2|").contains("<td>1</td>"));
    }

    #[test]
    fn nothing_that_acts_or_loads_is_left() {
        for bad in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "![x](https://spy.example/pixel.png)",
            "[x](javascript:alert(1))",
            "<a href=\"/sign-out\" onclick=\"x()\">y</a>",
            "<iframe src=\"https://evil.example\"></iframe>",
            "<form action=\"/x\"><input name=\"y\"></form>",
            "<p style=\"position:fixed\">z</p>",
        ] {
            let shown = html(bad);
            for word in ["script", "<img", "onerror", "javascript:", "onclick", "<iframe", "<form", "<input", "style=", "href=\"/"] {
                assert!(!shown.contains(word), "{bad} gave {shown}");
            }
        }
    }

    proptest::proptest! {
        #[test]
        fn whatever_is_written_is_shown_without_scripts(text in "\\PC{0,200}") {
            proptest::prop_assert!(!html(&text).to_lowercase().contains("<script"));
        }
    }
}
