# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The Gossamer authors
set(GOSS_ADAPTIVE_SOURCES
  adaptive/ada_scale.cpp
  adaptive/batch_config.cpp
  adaptive/batch_exchange.cpp
  adaptive/batch_planner.cpp
  adaptive/batch_state.cpp
  adaptive/epoch_plan.cpp
  adaptive/guard.cpp
  adaptive/histogram.cpp
  adaptive/loss_order.cpp
  adaptive/lr_scale.cpp
  adaptive/paired.cpp
  adaptive/plan.cpp
  adaptive/portable_math.cpp
  adaptive/precision_controller.cpp
  adaptive/precision_log.cpp
  adaptive/precision_rule.cpp
  adaptive/precision_state.cpp
  adaptive/state.cpp
  adaptive/validation_alarm.cpp)
