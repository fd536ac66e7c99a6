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

/// Renders and cleans a text. Its headings stand below those of the page.
#[must_use]
pub fn html(text: &str) -> String {
    let lower = |event| match event {
        Event::Start(Tag::Heading { level, id, classes, attrs }) => Event::Start(Tag::Heading { level: below(level), id, classes, attrs }),
        Event::End(TagEnd::Heading(level)) => Event::End(TagEnd::Heading(below(level))),
        other => other,
    };
    let mut raw = String::with_capacity(text.len() * 3 / 2);
    push_html(&mut raw, Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH).map(lower));
    CLEAN.clean(&raw).to_string()
}

/// The page has a heading of level 1 and its parts have those of level 2.
const fn below(level: HeadingLevel) -> HeadingLevel {
    match level {
        HeadingLevel::H1 => HeadingLevel::H3,
        HeadingLevel::H2 => HeadingLevel::H4,
        HeadingLevel::H3 => HeadingLevel::H5,
        _ => HeadingLevel::H6,
    }
}

#[cfg(test)]
mod tests {
    use super::html;

    #[test]
    fn markdown_is_rendered_and_its_headings_stand_below_those_of_the_page() {
        assert_eq!(html("# Title\n\nIt *does*."), "<h3>Title</h3>\n<p>It <em>does</em>.</p>\n");
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
