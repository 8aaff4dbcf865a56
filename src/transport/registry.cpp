// SPDX-License-Identifier: Apache-2.0
// SPDX-FileCopyrightText: The Gossamer authors
#include "transport/registry.h"

#include <dlfcn.h>
#include <unistd.h>

#include <mutex>
#include <span>
#include <string>

#include "base/env.h"
#include "base/log.h"
#include "transport/module.h"

namespace goss::transport {

namespace {

constexpr const char* kFile = "libgossamer_ucx.so";
// The library of UCX that has its global state.
constexpr const char* kUcxLibrary = "libucs.so.0";

// UCX does these to the process at the moment when it is loaded, unless told otherwise: it catches
// signals, and puts itself in the way of mmap, munmap, malloc and others.
constexpr const char* kGuestManners[] = {
    "UCX_HANDLE_ERRORS=none",   "UCX_ERROR_SIGNALS=",        "UCX_MEM_EVENTS=n",
    "UCX_MEM_MMAP_HOOK_MODE=none", "UCX_MEM_MALLOC_HOOKS=n", "UCX_MEM_MALLOC_RELOC=n",
    "UCX_VFS_ENABLE=n",
};

struct Loaded {
  const MessengerModule* module;
  bool alone;
};

// GOSS_MODULE_DIR, else the folder `gossamer` beside the library that this code is in.
Result<std::string> module_path() {
  if (const auto folder = env_text(Env::kModuleDir)) return *folder + "/" + kFile;
  Dl_info info{};
  if (::dladdr(reinterpret_cast<const void*>(&open_messenger), &info) == 0) {
    return fail(gossInternalError, "the library does not know its own file; set GOSS_MODULE_DIR");
  }
  const std::string self = info.dli_fname;
  const size_t slash = self.rfind('/');
  return (slash == std::string::npos ? "." : self.substr(0, slash)) + "/gossamer/" + kFile;
}

// Never closed: UCX leaves threads and exit handlers behind. Where others of the process already
// use it, its manners are their choice.
void* load_library(const std::string& path, bool alone) {
  const std::span<const char* const> manners(kGuestManners);
  const EnvOverlay overlay(alone ? manners : manners.first(0));
  return ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
}

Result<Loaded> load() {
  GOSS_TRY_ASSIGN(const std::string path, module_path());
  if (::access(path.c_str(), R_OK) != 0) {
    return fail(gossSystemError,
                "ranks on other hosts need the UCX module, but %s is missing: install Gossamer with "
                "UCX (Debian: libucx0), or set GOSS_MODULE_DIR to the folder of %s",
                path.c_str(), kFile);
  }
  const bool alone = ::dlopen(kUcxLibrary, RTLD_LAZY | RTLD_NOLOAD) == nullptr;
  void* const handle = load_library(path, alone);
  if (handle == nullptr) {
    return fail(gossSystemError,
                "ranks on other hosts need the UCX module, which cannot be loaded (%s): install UCX "
                "1.13.1 or later (Debian: libucx0)",
                ::dlerror());
  }
  const auto* const module = static_cast<const MessengerModule*>(::dlsym(handle, kModuleSymbol));
  if (module == nullptr || module->version_code != GOSS_VERSION_CODE ||
      module->interface_number != kInterfaceNumber) {
    return fail(gossSystemError,
                "%s belongs to version %d of Gossamer (interface %llu), this library is version %d "
                "(interface %llu): install both from one build",
                path.c_str(), module == nullptr ? 0 : module->version_code,
                module == nullptr ? 0ULL : static_cast<unsigned long long>(module->interface_number),
                GOSS_VERSION_CODE, static_cast<unsigned long long>(kInterfaceNumber));
  }
  log(LogLevel::kDebug, "loaded %s%s", path.c_str(), alone ? "" : "; UCX was already in use");
  return Loaded{module, alone};
}

}  // namespace

Result<MessengerPtr> open_messenger(const MessengerOptions& options) {
  static std::mutex mutex;
  static const Loaded* loaded = nullptr;  // lives as long as the module
  {
    const std::lock_guard lock(mutex);
    if (loaded == nullptr) {
      GOSS_TRY_ASSIGN(const Loaded found, load());
      loaded = new Loaded(found);
    }
  }
  return loaded->module->open(options, loaded->alone);
}

}  // namespace goss::transport
