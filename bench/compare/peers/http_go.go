// SPDX-License-Identifier: MIT

// http_go - what Go's net/http makes of each job; see ../jobs.py
//
// usage: http_go PORT JOB BODY
package main

import (
	"encoding/json"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

type message struct {
	Message string `json:"message"`
}

func hello(body []byte, delay time.Duration) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if delay > 0 {
			time.Sleep(delay)
		}
		w.Header()["Content-Type"] = []string{"text/html"}
		w.Write(body)
	}
}

func jsonPage(w http.ResponseWriter, r *http.Request) {
	text, _ := json.Marshal(message{"Hello, World!"})
	w.Header()["Content-Type"] = []string{"application/json"}
	w.Write(text)
}

func upload(w http.ResponseWriter, r *http.Request) {
	total, err := io.Copy(io.Discard, r.Body)
	if err != nil {
		return
	}
	w.Header()["Content-Type"] = []string{"text/plain"}
	w.Write([]byte(strconv.FormatInt(total, 10)))
}

func echo(connection net.Conn) {
	defer connection.Close()
	piece := make([]byte, 4096)
	for {
		n, err := connection.Read(piece)
		if err != nil {
			return
		}
		if _, err = connection.Write(piece[:n]); err != nil {
			return
		}
	}
}

func main() {
	port, job, body := os.Args[1], os.Args[2], []byte(os.Args[3])
	listener, err := net.Listen("tcp4", "127.0.0.1:"+port)
	if err != nil {
		log.Fatal(err)
	}
	if job == "echo" {
		for {
			connection, err := listener.Accept()
			if err != nil {
				log.Fatal(err)
			}
			go echo(connection)
		}
	}
	delay := time.Duration(0)
	if job == "timers" {
		delay = 10 * time.Millisecond
	}
	http.HandleFunc("/hello/x", hello(body, delay))
	http.HandleFunc("/json", jsonPage)
	http.HandleFunc("/upload", upload)
	log.Fatal(http.Serve(listener, nil))
}
