// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "collectives/schedule.h"

#include <utility>

namespace goss::collectives {

int Schedule::parts_at(Place place) const {
  if (place == Place::kScratch) return parts;
  const Layout layout = place == Place::kInput ? input : output;
  if (layout == Layout::kBlocks) return shape.nranks;
  return input == output ? parts : 1;
}

void ScheduleBuilder::publish(int phase, Place place, Parts parts, int to) {
  schedule_.steps.push_back({Verb::kPublish, phase, to, place, parts, {}});
}

void ScheduleBuilder::reduce(Place place, Parts parts, std::vector<Source> sources) {
  for (Source& source : sources) {
    if (source.part == kSamePart) source.part = parts.first;
  }
  schedule_.steps.push_back({Verb::kReduce, 0, kEverybody, place, parts, std::move(sources)});
}

void ScheduleBuilder::copy(Place place, Parts parts, Source source) {
  if (source.part == kSamePart) source.part = parts.first;
  schedule_.steps.push_back({Verb::kCopy, 0, kEverybody, place, parts, {source}});
}

void ScheduleBuilder::await(std::vector<Source> sources) {
  for (Source& source : sources) source.part = 0;
  schedule_.steps.push_back(
      {Verb::kAwait, 0, kEverybody, Place::kInput, {0, 0}, std::move(sources)});
}

std::vector<Source> ScheduleBuilder::inputs_in_rank_order(int part) const {
  std::vector<Source> sources;
  for (int r = 0; r < schedule_.shape.nranks; ++r) {
    sources.push_back(r == schedule_.shape.rank ? mine(Place::kInput, part) : theirs(r, 0, part));
  }
  return sources;
}

namespace {

const char* place_name(Place place) {
  switch (place) {
    case Place::kInput: return "input";
    case Place::kOutput: return "output";
    case Place::kScratch: return "scratch";
  }
  return "?";
}

std::string describe_parts(Parts parts) {
  return "[" + std::to_string(parts.first) + "," + std::to_string(parts.last) + ")";
}

std::string describe_source(const Source& source, int me) {
  const std::string part = " from " + std::to_string(source.part);
  if (source.rank == me) return place_name(source.place) + part;
  return "rank " + std::to_string(source.rank) + " phase " + std::to_string(source.phase) + part;
}

std::string describe_step(const Step& step, int me) {
  std::string text;
  switch (step.verb) {
    case Verb::kPublish:
      text = "publish phase " + std::to_string(step.phase) + ": " + place_name(step.place) +
             describe_parts(step.parts) + " to " +
             (step.to == kEverybody ? "everybody" : "rank " + std::to_string(step.to));
      return text;
    case Verb::kReduce:
      text = std::string("reduce ") + place_name(step.place) + describe_parts(step.parts) + " =";
      break;
    case Verb::kCopy:
      text = std::string("copy ") + place_name(step.place) + describe_parts(step.parts) + " =";
      break;
    case Verb::kAwait: text = "await"; break;
  }
  for (const Source& source : step.sources) text += " {" + describe_source(source, me) + "}";
  return text;
}

}  // namespace

std::string describe(const Schedule& schedule) {
  std::string text = "rank " + std::to_string(schedule.shape.rank) + " of " +
                     std::to_string(schedule.shape.nranks) + ", " + std::to_string(schedule.parts) +
                     " parts\n";
  for (const Step& step : schedule.steps) {
    text += "  " + describe_step(step, schedule.shape.rank) + "\n";
  }
  return text;
}

}  // namespace goss::collectives
