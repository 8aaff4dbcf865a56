// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Prints what the documentation says about tables in the source: `doc_text environment` is the text
// of docs/environment.md, `doc_text algorithms` the table in docs/algorithms.md.
// check_generated.py compares, scripts/gen_env_doc.sh writes.
#include <cstdio>
#include <string>

#include "base/env.h"
#include "collectives/registry.h"

namespace {

std::string algorithms() {
  std::string text =
      "| collective | algorithm | steps | bytes read per rank | exact | ranks | source |\n"
      "|---|---|---|---|---|---|---|\n";
  for (const auto rows :
       {goss::collectives::registry(), goss::collectives::forwarding_registry()}) {
    for (const goss::collectives::Row& row : rows) {
      text += goss::format("| %s | %s | %s | %s | %s | %s | %s |\n",
                           goss::collectives::kind_name(row.kind), row.name, row.steps, row.bytes,
                           row.exact, row.ranks, row.source);
    }
  }
  text +=
      "\nBetween ranks that share no memory:\n\n"
      "| collective | algorithm | steps | bytes sent per rank | exact | source |\n"
      "|---|---|---|---|---|---|\n";
  for (const goss::collectives::MessageRow& row : goss::collectives::message_registry()) {
    text +=
        goss::format("| %s | %s | %s | %s | %s | %s |\n", goss::collectives::kind_name(row.kind),
                     row.name, row.steps, row.bytes, row.exact, row.source);
  }
  return text;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string what = argc == 2 ? argv[1] : "";
  if (what != "environment" && what != "algorithms") {
    std::fprintf(stderr, "usage: doc_text environment|algorithms\n");
    return 2;
  }
  const std::string text = what == "environment" ? goss::env_markdown() : algorithms();
  return std::fputs(text.c_str(), stdout) < 0 ? 1 : 0;
}
