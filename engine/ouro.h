/* SPDX-License-Identifier: MIT */
/* ouro.h - every public header of the engine but ouro_uring.h; start with ouro_task.h */
#ifndef OURO_H
#define OURO_H

#include "ouro_address.h"
#include "ouro_base.h"
#include "ouro_channel.h"
#include "ouro_coro.h"
#include "ouro_future.h"
#include "ouro_debug.h"
#include "ouro_lease.h"
#include "ouro_file.h"
#include "ouro_local.h"
#include "ouro_loop.h"
#include "ouro_message.h"
#include "ouro_offload.h"
#include "ouro_process.h"
#include "ouro_sender.h"
#include "ouro_shard.h"
#include "ouro_signal.h"
#include "ouro_socket.h"
#include "ouro_sync.h"
#include "ouro_task.h"
#include "ouro_timer.h"

#endif /* OURO_H */
