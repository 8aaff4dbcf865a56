// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
//
// How ranks come about. A job is P processes times T threads (-t) times G ranks per thread (-g);
// rank = (process * T + thread) * G + i. The processes are those of a launcher (mpirun, torchrun,
// srun: whatever gossCommInitMpi and gossCommInitEnv understand), or forked here (--procs).
#pragma once

#include <functional>

#include "crew.h"
#include "options.h"

namespace goss::perf {

// What the options say of communicators; `codec` must live as long.
gossConfig_t make_config(const Options& options, const char* codec = nullptr);

// Runs `body` once per thread of the job, each with its own crew. Returns the exit code of this
// process: 0, 1 when body returned false or anything failed (which has been printed).
int launch(const Options& options, const std::function<bool(Crew&)>& body);

}  // namespace goss::perf
