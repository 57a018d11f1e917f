//! The code blocks of a Markdown page.

/// A fenced block.
pub(crate) struct Block {
    /// The text after the opening fence.
    pub(crate) language: String,
    pub(crate) text: String,
}

impl Block {
    pub(crate) fn is_rust(&self) -> bool {
        self.language.split(',').next() == Some("rust")
    }

    /// The file that the block's first line names, as in `// src/main.rs`.
    pub(crate) fn file(&self) -> Option<&str> {
        let first = self.text.lines().next()?;
        let file = first.strip_prefix("// ")?;
        file.ends_with(".rs").then_some(file)
    }

    /// Whether the block has lines that rustdoc hides but every other reader sees.
    pub(crate) fn has_hidden_lines(&self) -> bool {
        self.text
            .lines()
            .any(|line| line == "#" || line.starts_with("# "))
    }

    /// Whether the block makes a crate or adds a dependency to one.
    pub(crate) fn sets_up_a_crate(&self) -> bool {
        let commands = ["cargo new ", "cargo add "];
        self.language == "sh" && commands.iter().any(|command| self.text.contains(command))
    }
}

/// Returns the blocks of a page, in order.
pub(crate) fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            continue;
        };
        let text: Vec<_> = lines.by_ref().take_while(|line| *line != "```").collect();
        blocks.push(Block {
            language: language.to_owned(),
            text: text.join("\n") + "\n",
        });
    }
    blocks
}
