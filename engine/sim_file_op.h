/* SPDX-License-Identifier: MIT */
/*
 * sim_file_op.h - the simulated ring's opcodes that are about files and pipes
 *
 * For the table in sim_op.c; see sim_op.h for what the functions are.
 */
#ifndef OURO_SIM_FILE_OP_H
#define OURO_SIM_FILE_OP_H

#include "sim_op.h"

run_fn ouro__sim_file_run_fallocate;
run_fn ouro__sim_file_run_fsync;
run_fn ouro__sim_file_run_mkdir;
run_fn ouro__sim_file_run_open;
run_fn ouro__sim_file_run_readv;
run_fn ouro__sim_file_run_rename;
run_fn ouro__sim_file_run_statx;
run_fn ouro__sim_file_run_unlink;
run_fn ouro__sim_file_run_writev;

/* READ and WRITE, of files and pipes only. */
run_fn ouro__sim_file_run_read;
run_fn ouro__sim_file_run_write;

inject_fn ouro__sim_file_inject_change;
inject_fn ouro__sim_file_inject_look;
inject_fn ouro__sim_file_inject_open;
inject_fn ouro__sim_file_inject_transfer;

#endif /* OURO_SIM_FILE_OP_H */
