// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// Speed and correctness of gossSend and gossRecv: each rank sends to the next one and receives from
// the one before. Both are on their way at once, so the buffers must differ: there is no form in
// place.
#include "collective.h"

namespace {

using goss::perf::Call;
using goss::perf::Piece;
using goss::perf::Shape;

gossResult_t issue(const Call& call) {
  return goss::perf::in_group([&] {
    const int next = call.rank + 1 == call.nranks ? 0 : call.rank + 1;
    const int previous = (call.rank == 0 ? call.nranks : call.rank) - 1;
    const gossResult_t sent =
        gossSend(call.send, call.count, call.type, next, call.comm, call.stream);
    if (sent != gossSuccess) return sent;
    return gossRecv(call.recv, call.count, call.type, previous, call.comm, call.stream);
  });
}

std::vector<Piece> expected(const Shape& shape) {
  return {{shape.count, (shape.rank + shape.nranks - 1) % shape.nranks, 0}};
}

constexpr goss::perf::Collective kSendrecv = {
    .program = "sendrecv_perf",
    .description =
        "Measures and checks gossSend and gossRecv, with the flags and tables of nccl-tests.",
    .function = "gossSend/gossRecv",
    .has_in_place = false,
    .messages = true,
    .issue = issue,
    .expected = expected,
    .bus_factor = goss::perf::one,
};

}  // namespace

int main(int argc, char** argv) { return goss::perf::perf_main(argc, argv, kSendrecv); }
