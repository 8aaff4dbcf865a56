// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "topology/xml_check.h"

#include <algorithm>
#include <map>
#include <string>
#include <vector>

namespace goss::topology {

namespace {

using Attributes = std::map<std::string_view, std::string_view>;

bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
bool is_name(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '.' || c == ':';
}

std::vector<std::string_view> needed_by(std::string_view type) {
  if (type == "Bridge") return {"gp_index", "bridge_type", "depth", "bridge_pci"};
  if (type == "PCIDev") return {"gp_index", "pci_busid", "pci_type"};
  if (type == "OSDev") return {"gp_index", "osdev_type"};
  if (type == "Misc") return {"gp_index"};
  return {"gp_index", "cpuset", "complete_cpuset", "nodeset", "complete_nodeset"};
}

class Checker {
 public:
  explicit Checker(std::string_view xml) : xml_(xml) {}

  Status run() {
    while (true) {
      at_ = xml_.find('<', at_);
      if (at_ == std::string_view::npos) break;
      if (skip("<?", "?>") || skip("<!--", "-->") || skip("<!", ">")) continue;
      GOSS_TRY(tag());
    }
    at_ = xml_.size();
    if (!open_.empty())
      return wrong("the end is missing, <" + std::string(open_.back()) + "> is open");
    return machines_ == 1 ? Status() : wrong("no <object type=\"Machine\"> in a <topology>");
  }

 private:
  Status wrong(const std::string& what) const {
    const size_t end = std::min(at_, xml_.size());
    const auto line = 1 + std::count(xml_.begin(), xml_.begin() + static_cast<long>(end), '\n');
    return fail(gossInvalidUsage, "no topology of hwloc 2: line %td: %s", line, what.c_str());
  }

  bool skip(std::string_view begin, std::string_view end) {
    if (xml_.substr(at_, begin.size()) != begin) return false;
    const size_t found = xml_.find(end, at_ + begin.size());
    at_ = found == std::string_view::npos ? xml_.size() : found + end.size();
    return true;
  }

  char here() const { return at_ < xml_.size() ? xml_[at_] : '\0'; }
  bool take(char c) {
    if (here() != c) return false;
    ++at_;
    return true;
  }
  void skip_space() {
    while (is_space(here())) ++at_;
  }
  std::string_view take_name() {
    const size_t begin = at_;
    while (is_name(here())) ++at_;
    return xml_.substr(begin, at_ - begin);
  }

  Status tag() {
    ++at_;
    const bool closes = take('/');
    const std::string_view name = take_name();
    if (name.empty()) return wrong("a tag has no name");
    Attributes attributes;
    for (skip_space(); is_name(here()); skip_space()) GOSS_TRY(attribute(&attributes));
    const bool alone = take('/');
    if (!take('>')) return wrong("<" + std::string(name) + "> does not end");
    if (closes) {
      if (open_.empty() || open_.back() != name) {
        return wrong("</" + std::string(name) + "> closes what is not open");
      }
      open_.pop_back();
      return {};
    }
    GOSS_TRY(check(name, attributes));
    if (!alone) open_.push_back(name);
    return {};
  }

  Status attribute(Attributes* attributes) {
    const std::string_view name = take_name();
    if (!take('=') || !take('"')) return wrong(std::string(name) + " has no value");
    const size_t end = xml_.find_first_of("\"<", at_);
    if (end == std::string_view::npos || xml_[end] == '<') {
      return wrong("the value of " + std::string(name) + " does not end");
    }
    (*attributes)[name] = xml_.substr(at_, end - at_);
    at_ = end + 1;
    return {};
  }

  Status check(std::string_view name, const Attributes& attributes) {
    if (name == "topology") {
      const auto version = attributes.find("version");
      if (!open_.empty() || version == attributes.end()) return wrong("<topology> without version");
      if (version->second.substr(0, 2) == "2.") return {};
      return wrong("version " + std::string(version->second) +
                   " (hwloc 3 writes version 2 with --export-xml-flags v2)");
    }
    if (open_.empty()) return wrong("<" + std::string(name) + "> is outside <topology>");
    if (name != "object") return {};
    const auto type = attributes.find("type");
    if (type == attributes.end()) return wrong("an object has no type");
    for (const std::string_view needed : needed_by(type->second)) {
      if (attributes.find(needed) != attributes.end()) continue;
      return wrong("a " + std::string(type->second) + " has no " + std::string(needed));
    }
    const bool top = open_.size() == 1;
    if (top != (type->second == "Machine")) return wrong("a Machine is what holds all others");
    machines_ += top;
    return {};
  }

  std::string_view xml_;
  size_t at_ = 0;
  std::vector<std::string_view> open_;
  int machines_ = 0;
};

}  // namespace

Status check_xml(std::string_view xml) { return Checker(xml).run(); }

}  // namespace goss::topology
